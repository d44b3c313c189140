// One page of a study: plays the videos, unlocks the answers when all were played to the end, sends them until they are saved.
"use strict";
const job = JSON.parse(document.getElementById("job").textContent);
const form = document.getElementById("answers");
const next = form.querySelector(".next");
const statusLine = document.getElementById("status");
const fieldsets = [...form.querySelectorAll("fieldset")];
const sliders = [...form.querySelectorAll("input[type=range]")];
const PLAYED = 0.95; // share of a video that must have been shown
const fill = (text, name) => text.replace("{name}", name);
let queue = []; // players that play after the present one
let replays = 0;
let sending = false;
let pointing = false; // whether the mouse or a finger moved the focus, not the keyboard

function Player(figure) {
  this.figure = figure;
  this.name = figure.dataset.name;
  this.video = figure.querySelector("video");
  this.button = figure.querySelector(".play");
  this.state = figure.querySelector(".state");
  this.bar = figure.querySelector(".time i");
  this.done = false;
  this.button.addEventListener("click", () => {
    queue = [];
    if (pointing) this.button.blur(); // so that Space and Enter keep their meaning
    this.toggle();
  });
  this.video.addEventListener("play", () => this.show(true));
  this.video.addEventListener("pause", () => this.show(false));
  this.video.addEventListener("timeupdate", () => this.move());
  this.video.addEventListener("ended", () => this.ended());
  this.video.addEventListener("error", () => this.broke());
  if (this.video.error || this.video.networkState === HTMLMediaElement.NETWORK_NO_SOURCE) this.broke();
}

Player.prototype.toggle = function () {
  if (this.video.paused) this.play();
  else this.video.pause();
};

Player.prototype.play = function () {
  for (const other of players) if (other !== this) other.stop();
  if (this.done && (this.video.ended || this.video.currentTime === 0)) replays += 1;
  this.video.play().catch(() => {
    if (this.video.error) this.broke();
  });
};

Player.prototype.stop = function () {
  this.video.pause();
  this.video.currentTime = 0;
  this.bar.style.width = "0";
};

Player.prototype.show = function (playing) {
  this.figure.classList.toggle("playing", playing);
  const text = playing ? job.texts.pause : this.done ? job.texts.again : job.texts.play;
  this.button.setAttribute("aria-label", fill(text, this.name));
};

Player.prototype.move = function () {
  this.bar.style.width = `${(100 * this.video.currentTime) / this.video.duration}%`;
};

Player.prototype.shownShare = function () {
  let seconds = 0;
  for (let i = 0; i < this.video.played.length; i++) seconds += this.video.played.end(i) - this.video.played.start(i);
  return seconds / this.video.duration;
};

Player.prototype.ended = function () {
  this.bar.style.width = "100%";
  if (!this.done && this.shownShare() >= PLAYED) {
    this.done = true;
    this.figure.classList.add("done");
    this.state.textContent = `✓ ${job.texts.played}`;
  }
  this.show(false);
  update();
  const after = queue.shift();
  if (after) after.play();
};

Player.prototype.broke = function () {
  this.figure.classList.add("broken");
  this.state.textContent = job.texts.broken;
};

const players = [...document.querySelectorAll(".player")].map((figure) => new Player(figure));

// Space: pause what plays; else play what was not yet played to the end; else play all again. On a slider: its video.
function space() {
  const playing = players.find((player) => !player.video.paused);
  const focused = players.find((player) => player.figure.contains(document.activeElement));
  if (playing) return playing.toggle();
  if (focused) {
    queue = [];
    return focused.toggle();
  }
  const halted = players.find((player) => player.video.currentTime > 0 && !player.video.ended);
  if (halted) return halted.play();
  const left = players.filter((player) => !player.done);
  queue = left.length ? left : players.filter((player) => player.figure.dataset.video !== "shown");
  queue.shift().play();
}

const allPlayed = () => players.every((player) => player.done);
const answered = (fieldset) => fieldset.querySelector("input:checked") !== null;
const complete = () => fieldsets.every(answered) && sliders.every((slider) => slider.dataset.moved);

// The question that a digit answers: the one that the keyboard is on, else the first without answer.
function current() {
  const focused = pointing ? null : document.activeElement?.closest("fieldset");
  return focused || fieldsets.find((fieldset) => !answered(fieldset)) || fieldsets[fieldsets.length - 1];
}

function update() {
  const played = allPlayed();
  const ready = played && complete();
  for (const fieldset of fieldsets) {
    fieldset.disabled = !played;
    fieldset.classList.toggle("current", played && !ready && fieldsets.length > 1 && fieldset === current());
  }
  for (const slider of sliders) {
    slider.disabled = !slider.closest(".player").classList.contains("done");
    slider.classList.toggle("unrated", !slider.dataset.moved);
  }
  next.disabled = !ready || sending;
  if (sending) return;
  const texts = job.texts;
  say(!played ? (players.length > 1 ? texts.play_all : texts.play_one) : ready ? texts.ready : sliders.length ? texts.rate : texts.choose);
}

function say(text, trouble = false) {
  if (statusLine.textContent !== text) statusLine.textContent = text;
  statusLine.classList.toggle("trouble", trouble);
}

function choose(fieldset, value) {
  const input = fieldset.querySelector(`input[value="${value}"]`);
  if (!input || fieldset.disabled) return;
  input.checked = true;
  update();
  if (!next.disabled && !fieldset.contains(document.activeElement)) next.focus({ preventScroll: true });
}

function moved(slider) {
  slider.dataset.moved = "yes";
  slider.nextElementSibling.textContent = slider.value;
  slider.setAttribute("aria-valuetext", slider.value);
  update();
}

function values() {
  const answers = {};
  for (const fieldset of fieldsets) {
    const value = fieldset.querySelector("input:checked").value;
    answers[fieldset.dataset.question] = job.pairs[value] || [Number(value)];
  }
  for (const slider of sliders) (answers[slider.dataset.question] ||= [])[Number(slider.dataset.slot)] = Number(slider.value);
  return answers;
}

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

// Sends the answers until the server has saved them. The server counts a page once, however often it is sent.
async function send(body) {
  if (sending) return;
  sending = true;
  update();
  say(job.texts.sending);
  remember(body);
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await fetch(job.send, { method: "POST", body, headers: { "Content-Type": "application/json" } });
      if (response.ok) {
        forget();
        return location.replace(job.here);
      }
      if (response.status < 500 && response.status !== 429) {
        forget();
        const reply = await response.json();
        sending = false;
        update();
        if (reply.reload) return location.replace(job.here);
        return say(reply.error, true);
      }
    } catch (error) {
      // the server is away: try again
    }
    say(job.texts.lost, true);
    await pause(Math.min(5, 0.5 * 2 ** attempt));
  }
}

// An answer that is being sent survives a reload of the page.
function remember(body) {
  try {
    sessionStorage.setItem(job.send, body);
  } catch (error) {
    // storage is off: the answer lives as long as the page
  }
}

function forget() {
  try {
    sessionStorage.removeItem(job.send);
  } catch (error) {
    // see above
  }
}

function remembered() {
  try {
    return sessionStorage.getItem(job.send);
  } catch (error) {
    return null;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (allPlayed() && complete()) send(JSON.stringify({ answers: values(), replays }));
});
form.addEventListener("change", update);
form.addEventListener("focusin", update);
for (const slider of sliders)
  for (const kind of ["input", "pointerup"]) slider.addEventListener(kind, () => !slider.disabled && moved(slider));

document.addEventListener("pointerdown", () => (pointing = true), true);
document.addEventListener("keydown", (event) => {
  if (event.key === "Tab") pointing = false;
  if (event.altKey || event.ctrlKey || event.metaKey || sending) return;
  const target = event.target;
  const onButton = target.closest("button, summary, a") !== null;
  if (event.key === " " && !(onButton && !target.matches(".next"))) {
    event.preventDefault();
    if (!event.repeat) space();
  } else if (event.key === "Enter" && !onButton && !target.closest("a, summary")) {
    event.preventDefault();
    if (!event.repeat && !next.disabled) form.requestSubmit();
  } else if (job.scale === "pairs") {
    const value = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right", ArrowDown: "same", 0: "same" }[event.key];
    if (!value || fieldsets[0].disabled) return;
    event.preventDefault();
    choose(fieldsets[0], value);
  } else if (job.scale === "1-5" && /^[1-5]$/.test(event.key)) {
    event.preventDefault();
    choose(current(), event.key);
  }
});

document.querySelector(".link a").textContent = new URL(job.here, location.href).href;
update();
const unsent = remembered();
if (unsent) send(unsent);
