import instantiate, { type FvadModule } from '@echogarden/fvad-wasm';
import { SILENCE_DBOV } from './level.ts';
import { NoiseFloor } from './noise-floor.ts';
import { SpeechLevel } from './speech-level.ts';
import { type SpeechLevels, SpeechPower } from './speech-power.ts';

/** Of the modes 0 … 3: nearly as sensitive as 0, and fooled by much less. */
const MODE = 1;
/** 5 dB above the floor, a frame may start voice; half of that is enough to go on, so that weak syllable ends stay in. */
const ONSET_MARGIN = 10 ** (5 / 10);
const HOLD_MARGIN = 10 ** (2.5 / 10);
/** Frames below -66 dBov are never voice: what a silent G.711 line makes of rounding lies below. */
const QUIETEST_VOICE_POWER = 10 ** (-66 / 10);

/**
 * The detector is most of what a silent caller costs. So it is given frames that do not stand out until its own hangover
 * has ended, and from then on learns the background from one of so many.
 */
const DETECTOR_TAIL_MS = 160;
const DETECTOR_SHARE = 4;

const MAX_FRAME_SAMPLES = 480;

interface Fvad {
  readonly module: FvadModule;
  /** Where the frame at work lies: one for all detectors, because a call runs to its end. */
  readonly frame: number;
}

let fvad: Fvad | undefined;
let loading: Promise<void> | undefined;

async function load(): Promise<void> {
  const module = await instantiate();
  fvad = { module, frame: module._malloc(MAX_FRAME_SAMPLES * Int16Array.BYTES_PER_ELEMENT) };
}

export interface VoiceActivityOptions {
  readonly sampleRate: 8000 | 16000;
}

/**
 * Tells voice from background, frame by frame: WebRTC's detector, which knows what speech sounds like, joined with
 * energy above an adaptive noise floor. The energy rejects what is as steady as no speech is, and ends voice sooner than
 * the detector's own hangover. It is looked at twice, as a whole and in the treble only, so that a weak first consonant
 * counts although a fan or a hum is louder. What follows a voice and is far weaker is its breath, although it stands out.
 *
 * A frame is judged by itself; bridging pauses and padding are the segmenter's work. In a stream's first 100 ms there is
 * no floor yet, and only loud frames are voice.
 */
export class VoiceActivity {
  readonly #fvad: Fvad;
  readonly #sampleRate: number;
  readonly #speech: SpeechPower;
  readonly #floor = new NoiseFloor('power');
  readonly #trebleFloor = new NoiseFloor('treblePower');
  readonly #level = new SpeechLevel();
  /** What the floors themselves are as powers: a voice comes on top of them. */
  readonly #background: SpeechLevels = { power: Number.NaN, treblePower: Number.NaN };
  #detector: number;
  #power = 0;
  #isVoice = false;
  /** Since the last frame that stood out. */
  #quietMs = 0;

  /** Reads the detector's wasm file; needed once before the first `new VoiceActivity`, in each thread. */
  static load(): Promise<void> {
    loading ??= load();
    return loading;
  }

  /**
   * @throws TypeError - before `load()` has resolved.
   * @throws RangeError - if the sample rate is not 8000 or 16000.
   */
  constructor(options: VoiceActivityOptions) {
    const { sampleRate } = options;
    if (!fvad) throw new TypeError('Expected VoiceActivity.load() to be done but received a call before');
    if (![8000, 16000].includes(sampleRate)) {
      throw new RangeError(`Expected 8000 or 16000 for sampleRate but received ${sampleRate}`);
    }
    this.#fvad = fvad;
    this.#sampleRate = sampleRate;
    this.#speech = new SpeechPower(sampleRate);
    this.#detector = fvad.module._fvad_new();
    if (this.#detector === 0) throw new RangeError('Expected memory for a voice detector but received none');
    this.#configure();
    this.#updateBackground();
  }

  /** Level of the last frame above 100 Hz, in dBov: an offset of the line is no sound. */
  get levelDbov(): number {
    return Math.max(SILENCE_DBOV, 10 * Math.log10(this.#power));
  }

  /** Level of the background, likewise above 100 Hz, as it is known after the last frame, in dBov. */
  get noiseFloorDbov(): number {
    return this.#floor.dbov;
  }

  /**
   * Judges the next frame of the stream. Copies it; allocates nothing.
   *
   * @throws RangeError - if the frame is not 10, 20 or 30 ms long.
   * @throws TypeError - after `close()`.
   */
  process(frame: Int16Array): boolean {
    this.#speech.measure(frame);
    return this.judge(frame, this.#speech);
  }

  /** As `process`, for a frame that somebody has measured with a {@link SpeechPower} of the same stream. */
  judge(frame: Int16Array, levels: Readonly<SpeechLevels>): boolean {
    const { power, treblePower } = levels;
    const durationMs = (frame.length * 1000) / this.#sampleRate;
    if (durationMs !== 20 && durationMs !== 10 && durationMs !== 30) {
      throw new RangeError(`Expected a frame of 10, 20 or 30 ms but received ${frame.length} samples`);
    }
    if (this.#detector === 0) throw new TypeError('Expected an open detector but received a frame after close()');
    this.#power = power;
    const background = this.#background;
    const margin = this.#isVoice ? HOLD_MARGIN : ONSET_MARGIN;
    const powerStandsOut = power >= background.power * margin;
    const trebleStandsOut = treblePower >= background.treblePower * margin;
    const standsOut = powerStandsOut || trebleStandsOut;
    const { least } = this.#level;
    const isVoiceLevel =
      (powerStandsOut && power >= least + background.power) ||
      (trebleStandsOut && treblePower >= least + background.treblePower);
    // In digital silence nothing changes, although the filter may still ring.
    const canBeVoice = isVoiceLevel && power >= QUIETEST_VOICE_POWER && treblePower > 0;
    // What stands out and can not be heard is news to the detector all the same: the breath before a word.
    this.#quietMs = standsOut ? 0 : this.#quietMs + durationMs;
    this.#isVoice = this.#isAsked(durationMs) && this.#soundsLikeSpeech(frame) && canBeVoice;
    this.#level.add(levels, this.#isVoice, durationMs);
    const isFloorNew = this.#floor.add(levels, durationMs);
    if (this.#trebleFloor.add(levels, durationMs) || isFloorNew) this.#updateBackground();
    return this.#isVoice;
  }

  /** Forgets the stream so far, for a new one. */
  reset(): void {
    if (this.#detector !== 0) {
      this.#fvad.module._fvad_reset(this.#detector);
      this.#configure();
    }
    this.#speech.reset();
    this.#floor.reset();
    this.#trebleFloor.reset();
    this.#level.reset();
    this.#power = 0;
    this.#isVoice = false;
    this.#quietMs = 0;
    this.#updateBackground();
  }

  /** Gives the detector's memory back. Idempotent. */
  close(): void {
    if (this.#detector !== 0) this.#fvad.module._fvad_free(this.#detector);
    this.#detector = 0;
  }

  #isAsked(durationMs: number): boolean {
    return this.#quietMs <= DETECTOR_TAIL_MS || this.#quietMs % (DETECTOR_SHARE * durationMs) === 0;
  }

  #soundsLikeSpeech(frame: Int16Array): boolean {
    const { module, frame: address } = this.#fvad;
    module.HEAP16.set(frame, address / Int16Array.BYTES_PER_ELEMENT);
    return module._fvad_process(this.#detector, address, frame.length) === 1;
  }

  #updateBackground(): void {
    this.#background.power = 10 ** (this.#floor.dbov / 10);
    this.#background.treblePower = 10 ** (this.#trebleFloor.dbov / 10);
  }

  #configure(): void {
    this.#fvad.module._fvad_set_sample_rate(this.#detector, this.#sampleRate);
    this.#fvad.module._fvad_set_mode(this.#detector, MODE);
  }
}
