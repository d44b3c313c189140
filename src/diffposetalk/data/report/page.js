// The line in a clip's plot follows its film or sound; a click on the plot goes there.
for (const figure of document.querySelectorAll(".clip")) {
  const media = figure.querySelector("video, audio");
  const line = figure.querySelector(".now");
  const svg = figure.querySelector("svg");
  const width = Number(line.dataset.width);
  const show = () => {
    const x = media.duration ? (width * media.currentTime) / media.duration : 0;
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    if (!media.paused) requestAnimationFrame(show);
  };
  media.addEventListener("play", show);
  media.addEventListener("seeked", show);
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    if (media.duration) media.currentTime = (media.duration * (event.clientX - box.left)) / box.width;
  });
}
