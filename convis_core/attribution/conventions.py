"""SmoothGrad by the conventions of its paper and of two libraries."""

from convis_core.results import Convention, SmoothGradSpec

CONVENTIONS: tuple[Convention, ...] = (
    Convention(
        id="paper",
        label="The paper (Smilkov et al. 2017)",
        spec=SmoothGradSpec(noise_level=0.15, n_samples=50, variant="mean"),
        noise="10 to 20 percent of max(x) - min(x) looked best; about 50 samples are enough.",
        averages="The signed gradients.",
        shows="Takes the absolute value afterwards and caps the few outliers at the 99th percentile.",
        source="arXiv:1706.03825, sections 2 and 3",
    ),
    Convention(
        id="captum",
        label="Captum (NoiseTunnel over Saliency)",
        spec=SmoothGradSpec(noise_level=0.226, n_samples=5, variant="absolute"),
        noise=(
            "An absolute standard deviation in units of the network's input, 1.0 unless asked otherwise; on pixels "
            "normalised as ImageNet's usually are, that is about 0.23 of the range."
        ),
        averages="The absolute values, because Saliency takes them before the samples are averaged (abs=True).",
        shows="Sums the channels, takes the absolute value and clips what makes up the top 2 percent of the total.",
        source="captum 0.9: NoiseTunnel, Saliency, and visualization.visualize_image_attr",
    ),
    Convention(
        id="pair",
        label="PAIR saliency (Google)",
        spec=SmoothGradSpec(noise_level=0.15, n_samples=25, variant="squared"),
        noise="15 percent of max(x) - min(x), as the paper measures it (stdev_spread).",
        averages="The squared gradients (magnitude=True), so signs are lost and strong pixels stand out more.",
        shows="Sums the absolute values of the channels and clips at the 99th percentile.",
        source="github.com/PAIR-code/saliency, saliency/core/base.py and visualization.py",
    ),
)
"""The defaults of each. All three add noise to the picture and do not clip it afterwards."""
