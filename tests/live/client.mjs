// Speaks to a server through the JavaScript client and prints what came back, for test_javascript.py.
import { Live, LiveError, decodeChunk } from '../../src/diffposetalk/live/clients/live.mjs';

const [url, rate, token] = process.argv.slice(2);
const result = {};
try {
  await Live.connect(url, { rate: Number(rate), token: 'wrong' });
} catch (error) {
  result.refused = [error instanceof LiveError, error.code];
}
const live = await Live.connect(url, { rate: Number(rate), token, style: 'lively' });
let chunks = [];
live.addEventListener('chunk', ({ detail }) => chunks.push(detail));

const sound = Int16Array.from({ length: 2.5 * rate }, (_, index) => 9000 * Math.sin(index / 7) * (1 + Math.sin(index / 3000)));
const blocks = [];
for (let start = 0; start < sound.length; start += 480) blocks.push(sound.subarray(start, start + 480));
await live.speak(blocks);
const back = chunks.slice(0, -1).flatMap(({ sound }) => [...sound]);
const frames = chunks.slice(0, -1).flatMap(({ frames }) => frames);
result.channels = live.about.channels;
result.same = sound.every((value, index) => value / 32768 === back[index]);
result.jaw = frames.map(({ weights }) => weights[live.about.channels.indexOf('jawOpen')]);
result.smile = frames.map(({ weights }) => weights[live.about.channels.indexOf('mouthSmileLeft')]);
result.turn = frames.map(({ head }) => head[1]);
result.times = frames.map(({ time }) => time);
result.loudness = frames.map((_, index) => {
  const part = back.slice((index * rate) / 25, ((index + 1) * rate) / 25);
  return Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / part.length);
});
result.last = chunks.map(({ last }) => last);
result.resting = chunks.map(({ resting }) => resting);

chunks = [];
const speaking = live.speak((async function* () { // an hour, if nobody stops it
  for (let second = 0; second < 3600; second++) yield sound.subarray(0, Number(rate));
})());
await new Promise((resolve) => live.addEventListener('chunk', function listen({ detail }) {
  if (detail.end < 6 * rate) return;
  live.removeEventListener('chunk', listen);
  resolve();
}));
const { position, utterance, reached } = await live.interrupt(5 * rate);
result.interrupted = [position, utterance, reached];
result.finished = (await speaking).interrupted;
result.after = chunks.at(-1).position;

chunks = [];
const before = live.speak(blocks.concat(blocks, blocks, blocks)); // a new utterance ends the one before
await new Promise((resolve) => live.addEventListener('chunk', resolve, { once: true }));
const { interrupted, utterance: began } = await live.speak(blocks);
result.ended = [(await before).interrupted, interrupted];
result.whole = chunks.filter(({ position, resting }) => position >= began && !resting).reduce((sum, { frames }) => sum + frames.length, 0);

chunks = [];
const half = blocks.length / 2 | 0;
for (const block of blocks.slice(0, half)) live.send(block);
await new Promise((resolve) => live.addEventListener('chunk', resolve, { once: true }));
live.cut = new Promise((resolve) => live.addEventListener('over', ({ detail }) => resolve(detail.code), { once: true }));
live.send(new TextEncoder().encode('cut').buffer); // an odd number of bytes: the test's server hangs up
result.cut = await live.cut;
await live.resume();
for (const block of blocks.slice(half)) live.send(block);
live.finish();
await new Promise((resolve) => live.addEventListener('event', ({ detail }) => detail.type === 'finished' && resolve()));
const again = chunks.slice(0, -1).flatMap(({ sound }) => [...sound]);
result.resumed = sound.every((value, index) => value / 32768 === again[index]);
live.close();
try {
  decodeChunk(new ArrayBuffer(50));
} catch (error) {
  result.damaged = error.code;
}
console.log(JSON.stringify(result));
