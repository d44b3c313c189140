/**
 * Client of `diffposetalk serve`: sound goes out, the same sound comes back with 52 weights and the head's rotation.
 *
 *     import { Live, Player } from './live.mjs';
 *     const live = await Live.connect('ws://127.0.0.1:8765/live', { rate: 24000, style: 'lively' });
 *     const player = new Player(live);               // in a page: plays the sound
 *     await live.speak(blocks);                      // Int16Array or Float32Array blocks, one after another
 *     ... player.now() ...                           // in each picture: { weights, head } of what is heard now
 *     await live.interrupt(player.stop());           // stops at what was heard
 *
 * No dependencies; works in browsers and, where there is a WebSocket, in Node. Messages: docs/live-protocol.md.
 */

export const PROTOCOL = 1;
const HEADER_BYTES = 36;
const RESTING = 1, GAP = 2, LAST = 4;
const WEIGHTS = 52, VALUES = 55;
const RESENT_BYTES = 2 ** 23; // how much of what was sent is kept for resume()
const AHEAD_S = 10; // how far speak() sends ahead of the motion, so that an interruption does not queue behind it

/** The server refused something, or the connection is lost; `code` is its name in docs/live-protocol.md. */
export class LiveError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/**
 * Read a chunk: { number, position, end, rate, fps, resting, gap, last, sound, frames }.
 *
 * `sound` is a Float32Array (null if the server sends none back), `position` and `end` count samples of the session.
 * Each of `frames` is { time, weights, head }: seconds since the start of the session, Float32Array(52) in the order of
 * `live.about.channels`, and the head's rotation as Float32Array(3), axis-angle in radians.
 */
export function decodeChunk(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEADER_BYTES || view.getUint32(0, false) !== 0x44505401 || view.getUint16(6, true) !== VALUES) {
    throw new LiveError('bad-message', 'a chunk has another layout than this client reads');
  }
  const kind = view.getUint8(4), flags = view.getUint8(5);
  const number = view.getUint32(8, true), nFrames = view.getUint32(12, true);
  const position = Number(view.getBigUint64(16, true)), nSamples = view.getUint32(24, true);
  const rate = view.getUint32(28, true), fps = view.getFloat32(32, true);
  const soundBytes = nSamples * [2, 4, 0][kind];
  const start = HEADER_BYTES + soundBytes + ((4 - (soundBytes % 4)) % 4);
  if (buffer.byteLength !== start + 4 * VALUES * nFrames) {
    throw new LiveError('bad-message', `a chunk has ${buffer.byteLength} bytes, not as many as its header states`);
  }
  let sound = null; // every machine that browsers run on stores numbers as the messages do, lowest byte first
  if (kind === 0) sound = Float32Array.from(new Int16Array(buffer, HEADER_BYTES, nSamples), (value) => value / 32768);
  if (kind === 1) sound = new Float32Array(buffer, HEADER_BYTES, nSamples);
  const first = Math.round((position * fps) / rate);
  const frames = Array.from({ length: nFrames }, (_, index) => ({
    time: (first + index) / fps,
    weights: new Float32Array(buffer, start + 4 * VALUES * index, WEIGHTS),
    head: new Float32Array(buffer, start + 4 * (VALUES * index + WEIGHTS), VALUES - WEIGHTS),
  }));
  return {
    number, position, end: position + nSamples, rate, fps, sound, frames,
    resting: Boolean(flags & RESTING), gap: Boolean(flags & GAP), last: Boolean(flags & LAST),
  };
}

/** A session with a server. Listens like any EventTarget: 'chunk', 'event' and 'over' events carry their object in `detail`. */
export class Live extends EventTarget {
  /**
   * Start a session.
   *
   * Options: rate (Hz), encoding ('pcm16', 'float32', 'opus'), channels, style, seed, soundBack ('pcm16', 'float32',
   * 'none'), slow ('pause', 'drop'), token, WebSocket (a class, where there is none of that name).
   */
  static async connect(url, options = {}) {
    const { rate = 16000, encoding = 'pcm16', channels = 1, style, seed = 0, soundBack = 'pcm16', slow = 'pause', token } = options;
    const sound = { encoding, rate: encoding === 'opus' ? 48000 : rate, channels };
    const start = { type: 'start', protocol: PROTOCOL, sound, style, seed, sound_back: soundBack, slow, token };
    const live = new Live(url, start, options.WebSocket ?? globalThis.WebSocket);
    live.about = await live.#open(start);
    live.rate = live.about.rate;
    live.fps = live.about.fps;
    return live;
  }

  #socket = null;
  #over = null;
  #sent = [];
  #sentBytes = 0;
  #nSent = 0;
  #number = -1;
  #end = 0;
  #utterance = 0;
  #interrupts = new Map();
  #nInterrupts = 0;
  #speaking = 0;
  #utterances = new Set();

  constructor(url, start, Socket) {
    super();
    Object.assign(this, { url, start, Socket });
  }

  /** Send sound: Int16Array, Float32Array, or an ArrayBuffer in the encoding that was declared (one packet of Opus). */
  send(sound) {
    const wanted = this.start.sound.encoding;
    if (sound instanceof Float32Array && wanted === 'pcm16') {
      sound = Int16Array.from(sound, (value) => Math.max(-32768, Math.min(32767, Math.round(value * 32768))));
    } else if (sound instanceof Int16Array && wanted === 'float32') {
      sound = Float32Array.from(sound, (value) => value / 32768);
    }
    this.#transmit(ArrayBuffer.isView(sound) ? sound.slice().buffer : sound);
  }

  /** End the utterance: its last chunks and then the event 'finished' come. */
  finish() {
    this.#transmit(JSON.stringify({ type: 'finish' }));
  }

  /**
   * Send an utterance, block after block (an array, or anything that `for await` takes), and wait until all of its chunks
   * have come or it is interrupted. Resolves to the event 'finished'. An utterance that is still under way is interrupted.
   */
  async speak(blocks) {
    const own = ++this.#speaking;
    if (this.#utterances.size) {
      await this.interrupt();
      await Promise.allSettled([...this.#utterances]);
      if (own + 1 !== this.#speaking) throw new LiveError('interrupted', 'another utterance was begun');
      this.#speaking = own;
    }
    const finished = this.#next((event) => event.type === 'finished');
    this.#utterances.add(finished);
    finished.catch(() => {}).finally(() => this.#utterances.delete(finished)); // thrown below, where somebody waits for it
    const start = this.#utterance;
    let nSent = 0;
    for await (const block of blocks) {
      while (own === this.#speaking && !this.#over && nSent > this.#end - start + AHEAD_S * this.rate) await this.#anything();
      if (own !== this.#speaking || this.#over) break;
      this.send(block);
      nSent += ArrayBuffer.isView(block) ? block.length : 0;
    }
    if (own === this.#speaking && !this.#over) this.finish();
    return finished;
  }

  /**
   * Stop speaking at once. Chunks that are still on their way are dropped; then comes the way to rest.
   *
   * `played` is the position that the listener has heard (default: all that has come). Resolves to the event
   * 'interrupted': { position, utterance, reached }, in samples.
   */
  interrupt(played = this.#end) {
    this.#speaking++;
    const id = this.#nInterrupts++;
    const answer = new Promise((resolve, reject) => this.#interrupts.set(id, { resolve, reject }));
    this.#transmit(JSON.stringify({ type: 'interrupt', played: Math.min(Math.floor(played), this.#end), id }));
    return answer;
  }

  /** Forget everything; the clock begins at 0. Options: style, seed. */
  reset({ style, seed } = {}) {
    this.#transmit(JSON.stringify({ type: 'reset', style, seed }));
  }

  /** Ask for the event 'pong'; this also keeps an idle session alive. */
  ping() {
    this.#transmit(JSON.stringify({ type: 'ping' }));
  }

  /** End the session. */
  close() {
    this.#socket.close(1000);
  }

  /** Connect again after 'over' with code 'disconnected': the session goes on, nothing is lost or repeated. */
  async resume() {
    const { token } = this.start;
    const resume = { type: 'resume', protocol: PROTOCOL, session: this.about.session, received: this.#number, token };
    const answer = await this.#open(resume);
    this.#over = null;
    const missing = this.#nSent - answer.received;
    if (missing > this.#sent.length || answer.next > this.#number + 1) {
      this.close();
      throw new LiveError('unknown-session', 'too much was lost to resume the session; start anew');
    }
    for (const message of this.#sent.slice(this.#sent.length - missing)) this.#socket.send(message);
  }

  #open(first) {
    if (!this.Socket) throw new LiveError('disconnected', 'there is no WebSocket here: pass one as an option');
    return new Promise((resolve, reject) => {
      const socket = (this.#socket = new this.Socket(this.url));
      socket.binaryType = 'arraybuffer';
      let begun = false;
      socket.onopen = () => socket.send(JSON.stringify(first));
      socket.onerror = () => reject(new LiveError('disconnected', `${this.url}: cannot connect`));
      socket.onmessage = ({ data }) => {
        if (begun) return this.#take(data);
        const answer = JSON.parse(data);
        if (answer.type === 'error') return reject(new LiveError(answer.code, answer.message));
        begun = true;
        resolve(answer);
      };
      socket.onclose = () => {
        reject(new LiveError('disconnected', `${this.url}: the connection was closed`));
        if (begun && socket === this.#socket) this.#end_with(new LiveError('disconnected', `${this.url}: the connection is lost`));
      };
    });
  }

  #transmit(message) {
    this.#nSent++;
    this.#sent.push(message);
    this.#sentBytes += message.byteLength ?? message.length;
    while (this.#sentBytes > RESENT_BYTES && this.#sent.length > 1) {
      const oldest = this.#sent.shift();
      this.#sentBytes -= oldest.byteLength ?? oldest.length;
    }
    if (this.#socket.readyState === 1) this.#socket.send(message);
  }

  #take(data) {
    if (typeof data !== 'string') {
      const chunk = decodeChunk(data);
      this.#number = chunk.number;
      if (this.#interrupts.size) return; // void: it was made before the interruption
      this.#end = chunk.end;
      return this.#tell('chunk', chunk);
    }
    const event = JSON.parse(data);
    this.#number = event.number ?? this.#number;
    if (event.type === 'error' && event.fatal) return this.#end_with(new LiveError(event.code, event.message));
    if (event.type === 'interrupted') {
      for (const [id, { resolve }] of this.#interrupts) {
        if (id > event.id) continue;
        this.#interrupts.delete(id);
        resolve(event);
      }
    } else if (event.type === 'finished' && this.#interrupts.size) return;
    if (event.type === 'finished' || event.type === 'reset') this.#end = this.#utterance = event.position ?? 0;
    this.#tell('event', event);
  }

  #end_with(error) {
    if (this.#over) return;
    this.#over = error;
    for (const { reject } of this.#interrupts.values()) reject(error);
    this.#interrupts.clear();
    this.#tell('over', error);
  }

  #tell(kind, detail) {
    this.dispatchEvent(Object.assign(new Event(kind), { detail }));
  }

  #next(wanted) {
    return new Promise((resolve, reject) => {
      const listen = ({ type, detail }) => {
        if (type === 'event' && !wanted(detail)) return;
        this.removeEventListener('event', listen);
        this.removeEventListener('over', listen);
        type === 'event' ? resolve(detail) : reject(detail);
      };
      this.addEventListener('event', listen);
      this.addEventListener('over', listen);
    });
  }

  #anything() {
    return new Promise((resolve) => {
      for (const kind of ['chunk', 'event', 'over']) this.addEventListener(kind, resolve, { once: true });
    });
  }
}

/** Plays the sound of a session by Web Audio, and knows which frame is heard. */
export class Player {
  #frames = [];
  #sources = new Set();
  #origin = null; // time of the audio context at which position 0 would have been heard
  #last = null;

  constructor(live, context = new AudioContext({ latencyHint: 'interactive' })) {
    Object.assign(this, { live, context });
    live.addEventListener('chunk', ({ detail }) => this.#play(detail));
    live.addEventListener('event', ({ detail }) => {
      if (detail.type === 'reset') this.stop();
    });
  }

  /** Position that is heard now, in samples of the session. */
  get position() {
    const heard = this.context.currentTime - (this.context.outputLatency || 0);
    return this.#origin === null ? 0 : Math.max(0, Math.round((heard - this.#origin) * this.live.rate));
  }

  /** The frame that is heard now: { weights, head }, or null before the first. Between frames it is interpolated. */
  now() {
    const time = this.position / this.live.rate;
    while (this.#frames.length > 1 && this.#frames[1].time <= time) this.#last = this.#frames.shift();
    const [frame, next] = this.#frames;
    if (!frame || frame.time > time) return this.#last;
    if (!next) return frame;
    const share = Math.max(0, Math.min(1, (time - frame.time) / (next.time - frame.time)));
    const mixed = (name) => frame[name].map((value, index) => value + share * (next[name][index] - value));
    return { weights: mixed('weights'), head: mixed('head') };
  }

  /** Stop the sound; return the position that was heard, for `live.interrupt`. */
  stop() {
    const { position } = this;
    for (const source of this.#sources) source.stop();
    this.#sources.clear();
    this.#last = this.now() ?? this.#last;
    this.#frames = [];
    this.#origin = null;
    return position;
  }

  #play({ position, rate, sound, frames }) {
    const { context } = this;
    if (this.#origin === null || this.#origin + position / rate < context.currentTime) {
      this.#origin = context.currentTime + 0.05 - position / rate; // the first chunk, or it came too late: the rest waits too
    }
    this.#frames.push(...frames);
    if (!sound?.length) return;
    const buffer = context.createBuffer(1, sound.length, rate);
    buffer.copyToChannel(sound, 0);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(context.destination);
    source.onended = () => this.#sources.delete(source);
    source.start(this.#origin + position / rate);
    this.#sources.add(source);
  }
}
