// Many small pictures with their names; each is a button that reports its place in the list.
// As few columns as let all of them stand on the screen at once, but no picture narrower than `least` rem.
const LABEL_REM = 3.9
const ABOVE_REM = 16
const GAP = 8

const columns = (count, width, least, rem) => {
  const height = window.innerHeight - ABOVE_REM * rem
  const most = Math.max(1, Math.min(count, Math.floor((width + GAP) / (least * rem + GAP))))
  for (let tried = 1; tried < most; tried += 1) {
    const side = (width - (tried - 1) * GAP) / tried
    if (Math.ceil(count / tried) * (side + LABEL_REM * rem) <= height) return tried
  }
  // They do not fit: as large as they can be in no more rows than the smallest size would take.
  return Math.ceil(count / Math.ceil(count / most))
}

export default function ({ data, parentElement, setTriggerValue }) {
  const gallery = parentElement.querySelector(".gallery")
  const harden = (image) => {
    // Hard pixels where a pixel is enlarged; a map that is made smaller would flicker with them.
    image.classList.toggle("hard", image.clientWidth >= image.naturalWidth)
  }
  gallery.replaceChildren(
    ...data.items.map((item, index) => {
      const button = document.createElement("button")
      button.type = "button"
      button.title = item.tip
      const image = document.createElement("img")
      image.alt = ""
      image.onload = () => harden(image)
      image.src = item.src
      const name = document.createElement("strong")
      // A long name breaks after its dots.
      item.name.split(/(?<=\.)/).forEach((piece) => name.append(piece, document.createElement("wbr")))
      const note = document.createElement("span")
      note.textContent = item.note
      button.append(image, name, note)
      button.onclick = () => setTriggerValue("picked", index)
      return button
    }),
  )
  const arrange = () => {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize)
    const count = columns(data.items.length, gallery.clientWidth, data.least, rem)
    gallery.style.gridTemplateColumns = `repeat(${count}, minmax(0, 1fr))`
    gallery.querySelectorAll("img").forEach(harden)
  }
  const observer = new ResizeObserver(arrange)
  observer.observe(gallery)
  arrange()
  return () => observer.disconnect()
}
