// An image of tiles, or of one map's cells: says what lies under the pointer, reports what is picked.
// Arrow keys move the cursor, Enter or a click picks. Places are given to Python in pixels of the image.
const cursors = new WeakMap()

const decoded = (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  return new Float32Array(bytes.buffer)
}

const place = (box, [x, y, width, height], data) => {
  box.style.left = `${(100 * x) / data.width}%`
  box.style.top = `${(100 * y) / data.height}%`
  box.style.width = `${(100 * width) / data.width}%`
  box.style.height = `${(100 * height) / data.height}%`
}

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame")
  const [image, cursor, tip] = ["img", ".cursor", ".tip"].map((name) => frame.querySelector(name))
  const values = data.values ? decoded(data.values) : null
  const byCell = data.unit === "cell"

  if (image.getAttribute("src") !== data.src) image.src = data.src
  image.alt = data.alt
  frame.setAttribute("aria-label", data.alt)
  frame.style.maxWidth = `max(${data.least}px, (100vh - 21.5rem) * ${data.width / data.height})`

  const fit = () => frame.classList.toggle("hard", !data.smooth && frame.clientWidth >= data.width)
  const observer = new ResizeObserver(fit)
  observer.observe(frame)
  fit()

  frame.querySelector(".marks").replaceChildren(
    ...data.marks.map((mark) => {
      const box = document.createElement("div")
      box.className = mark[2] > data.width / 12 ? "mark large" : "mark"
      place(box, mark, data)
      return box
    }),
  )

  // The tile, and in it the cell, at a point of the image; null in a gap and outside.
  const at = (x, y) => {
    const across = Math.floor((x - data.gap) / data.pitchX)
    const down = Math.floor((y - data.gap) / data.pitchY)
    // A point in the gap belongs to the tile before it.
    const column = Math.min(Math.floor((x - data.gap - across * data.pitchX) / data.zoom), data.cells - 1)
    const row = Math.min(Math.floor((y - data.gap - down * data.pitchY) / data.zoom), data.rows - 1)
    const tile = down * data.columns + across
    const inside = across >= 0 && across < data.columns && tile >= 0 && tile < data.tiles
    return inside && row >= 0 && row < data.rows && column >= 0 && column < data.cells ? { tile, row, column } : null
  }
  const rectangle = ({ tile, row, column }) => {
    const left = data.gap + (tile % data.columns) * data.pitchX
    const top = data.gap + Math.floor(tile / data.columns) * data.pitchY
    if (!byCell) return [left, top, data.cells * data.zoom, data.rows * data.zoom]
    return [left + column * data.zoom, top + row * data.zoom, data.zoom, data.zoom]
  }
  const words = ({ tile, row, column }) => {
    if (!byCell) return data.labels[tile] ?? ""
    const value = values ? `: ${Number(values[row * data.cells + column].toPrecision(4))}` : ""
    return `${data.names[0]} ${row}, ${data.names[1]} ${column}${value}`
  }

  const hide = () => { cursor.hidden = tip.hidden = true }
  const show = (spot) => {
    if (!spot || data.unit === "point") return hide()
    const box = rectangle(spot)
    place(cursor, box, data)
    tip.textContent = words(spot)
    cursor.hidden = tip.hidden = false
    // Above what is pointed at, or below it at the top; never past the right edge.
    const scale = frame.clientWidth / data.width
    const [left, top] = [box[0] * scale, box[1] * scale]
    tip.style.left = `${Math.max(0, Math.min(left, frame.clientWidth - tip.offsetWidth))}px`
    tip.style.top = top > tip.offsetHeight + 8 ? `${top - tip.offsetHeight - 8}px` : `${top + box[3] * scale + 8}px`
  }
  const pick = (spot) => {
    const [x, y, width, height] = rectangle(spot)
    setTriggerValue("picked", { x: x + width / 2, y: y + height / 2 })
  }
  const pointed = (event) => {
    const { left, top, width, height } = image.getBoundingClientRect()
    return [((event.clientX - left) * data.width) / width, ((event.clientY - top) * data.height) / height]
  }

  frame.onpointermove = (event) => show(at(...pointed(event)))
  frame.onpointerleave = hide
  frame.onblur = hide
  frame.onclick = (event) => {
    const [x, y] = pointed(event)
    if (data.unit === "point") return setTriggerValue("picked", { x, y })
    const spot = at(x, y)
    if (!spot) return
    cursors.set(frame, spot)
    pick(spot)
  }
  frame.onkeydown = (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key]
    const chosen = event.key === "Enter" || event.key === " "
    if (data.unit === "point" || (!step && !chosen)) return
    event.preventDefault()
    const first = data.marks.length ? at(data.marks[0][0] + 0.5, data.marks[0][1] + 0.5) : null
    let spot = cursors.get(frame) ?? first ?? { tile: 0, row: 0, column: 0 }
    if (step && byCell) spot = { tile: spot.tile, row: spot.row + step[0], column: spot.column + step[1] }
    else if (step) spot = { tile: spot.tile + step[0] * data.columns + step[1], row: 0, column: 0 }
    const known = spot.tile >= 0 && spot.tile < data.tiles
    if (!known || spot.row < 0 || spot.row >= data.rows || spot.column < 0 || spot.column >= data.cells) return
    cursors.set(frame, spot)
    show(spot)
    if (chosen) pick(spot)
  }
  return () => observer.disconnect()
}
