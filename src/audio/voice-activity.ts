import instantiate, { type FvadModule } from '@echogarden/fvad-wasm';
import { SILENCE_DBOV } from './level.ts';
import { NoiseFloor } from './noise-floor.ts';
import { SpeechPower } from './speech-power.ts';

/** Of the modes 0 … 3: nearly as sensitive as 0, and fooled by much less. */
const MODE = 1;
/** Above the floor, a frame may start voice; half of that is enough to go on, so that weak syllable ends stay in. */
const ONSET_MARGIN_DB = 5;
const HOLD_MARGIN_DB = 2.5;
/** Quieter frames are never voice: what a silent G.711 line makes of rounding lies below. */
const QUIETEST_VOICE_DBOV = -66;

const FRAME_MS = [10, 20, 30] as const;
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
 * counts although a fan or a hum is louder.
 *
 * A frame is judged by itself; bridging pauses and padding are the segmenter's work. In a stream's first 100 ms there is
 * no floor yet, and only loud frames are voice.
 */
export class VoiceActivity {
  readonly #fvad: Fvad;
  readonly #sampleRate: number;
  readonly #speech: SpeechPower;
  readonly #floor = new NoiseFloor();
  readonly #trebleFloor = new NoiseFloor();
  #detector: number;
  #levelDbov = SILENCE_DBOV;
  #isVoice = false;

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
  }

  /** Level of the last frame above 100 Hz, in dBov: an offset of the line is no sound. */
  get levelDbov(): number {
    return this.#levelDbov;
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
    const durationMs = (frame.length * 1000) / this.#sampleRate;
    if (!(FRAME_MS as readonly number[]).includes(durationMs)) {
      throw new RangeError(`Expected a frame of 10, 20 or 30 ms but received ${frame.length} samples`);
    }
    if (this.#detector === 0) throw new TypeError('Expected an open detector but received a frame after close()');
    const { module, frame: address } = this.#fvad;
    module.HEAP16.set(frame, address / Int16Array.BYTES_PER_ELEMENT);
    const soundsLikeSpeech = module._fvad_process(this.#detector, address, frame.length) === 1;

    this.#speech.measure(frame);
    const { power, treblePower } = this.#speech;
    this.#levelDbov = toDbov(power);
    const marginDb = this.#isVoice ? HOLD_MARGIN_DB : ONSET_MARGIN_DB;
    const standsOut =
      this.#levelDbov >= this.#floor.dbov + marginDb || toDbov(treblePower) >= this.#trebleFloor.dbov + marginDb;
    // In digital silence nothing changes, although the filter may still ring.
    const isAudible = this.#levelDbov >= QUIETEST_VOICE_DBOV && treblePower > 0;
    this.#isVoice = soundsLikeSpeech && standsOut && isAudible;
    this.#floor.add(power, durationMs);
    this.#trebleFloor.add(treblePower, durationMs);
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
    this.#levelDbov = SILENCE_DBOV;
    this.#isVoice = false;
  }

  /** Gives the detector's memory back. Idempotent. */
  close(): void {
    if (this.#detector !== 0) this.#fvad.module._fvad_free(this.#detector);
    this.#detector = 0;
  }

  #configure(): void {
    this.#fvad.module._fvad_set_sample_rate(this.#detector, this.#sampleRate);
    this.#fvad.module._fvad_set_mode(this.#detector, MODE);
  }
}

function toDbov(power: number): number {
  return Math.max(SILENCE_DBOV, 10 * Math.log10(power));
}
