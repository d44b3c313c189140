// The line in a clip's plot follows its video or sound; a click on the plot goes there.
for (const figure of document.querySelectorAll(".clip")) {
  const media = figure.querySelector("video, audio");
  const line = figure.querySelector(".now");
  const svg = figure.querySelector("svg");
  const show = () => {
    const share = media.duration ? media.currentTime / media.duration : 0;
    line.setAttribute("transform", `translate(${share * svg.viewBox.baseVal.width} 0)`);
    if (!media.paused) requestAnimationFrame(show);
  };
  media.addEventListener("play", show);
  media.addEventListener("seeked", show);
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    if (media.duration) media.currentTime = (media.duration * (event.clientX - box.left)) / box.width;
  });
}
