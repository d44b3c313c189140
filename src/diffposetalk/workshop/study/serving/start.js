// The first page of a study: a tone by which raters check their loudspeakers.
"use strict";
document.getElementById("tone").addEventListener("click", () => {
  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: 440 });
  const level = new GainNode(context, { gain: 0 });
  const now = context.currentTime;
  level.gain.linearRampToValueAtTime(0.2, now + 0.05);
  level.gain.setValueAtTime(0.2, now + 0.6);
  level.gain.linearRampToValueAtTime(0, now + 0.7);
  tone.connect(level).connect(context.destination);
  tone.onended = () => context.close();
  tone.start();
  tone.stop(now + 0.75);
});
