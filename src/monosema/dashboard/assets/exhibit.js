
// Frames of an animation: a slider shows any of them, the button plays them once through.
for (const player of document.querySelectorAll(".player")) {
  const figure = player.closest("figure");
  const moments = [...figure.querySelectorAll(".moment")];
  const slider = player.querySelector("input");
  const button = player.querySelector("button");
  const output = player.querySelector("output");
  let timer = 0;

  const turnTo = (i) => {
    moments.forEach((moment, k) => moment.classList.toggle("shown", k === i));
    slider.value = String(i);
    output.textContent = moments[i].dataset.label;
    slider.setAttribute("aria-valuetext", moments[i].dataset.label);
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
  };
  const play = () => {
    let i = Number(slider.value) === moments.length - 1 ? 0 : Number(slider.value);
    button.textContent = "Stop";
    turnTo(i);
    timer = setInterval(() => {
      i += 1;
      turnTo(i);
      if (i === moments.length - 1) stop();
    }, Math.max(40, Math.min(200, 6000 / moments.length)));
  };

  player.hidden = false;
  slider.addEventListener("input", () => {
    stop();
    turnTo(Number(slider.value));
  });
  button.addEventListener("click", () => (timer ? stop() : play()));
}
