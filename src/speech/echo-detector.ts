import { EchoEnvelope } from './echo-envelope.ts';
import { EchoPath, TAPS } from './echo-path.ts';
import { EchoSearch, LONGEST_LAG, PIECE_SAMPLES } from './echo-search.ts';
import { EchoSignal, FRAME_SAMPLES } from './echo-signal.ts';

/** Played power below this, evened out, is silence. */
const SILENCE_POWER = 30;
/** Played power from which on a frame tells how much of it comes back. */
const LOUD_POWER = 1000;
const MAX_PATHS = 3;

/**
 * Louder than this part of the loudest that was played of late is no echo: at first half of it, which no line returns;
 * when more is known, this many times what came back on average.
 */
const UNKNOWN_RETURN = 0.5;
const RETURN_MARGIN = 16;
const RETURN_FORGETTING = 0.99;
const RETURN_KNOWN_FRAMES = 25;

/** What an echo may be louder than expected: this many times what the reflections have left of it, between the two. */
const MISFIT_MARGIN = 6;
const MIN_EXCESS = 0.5;
const MAX_EXCESS = 3;
const MISFIT_FORGETTING = 0.96;
/** Where the echo of a frame is expected to end, it fades by this much a frame. */
const FADE = 0.5;
/** Weaker reflections than those that are known may be so loud, relative to the loudest that was played of late. */
const UNKNOWN_REFLECTIONS = 0.1;
const LEAST_RETURN = 1e-4;

/** So many times louder than an echo can be by its envelope, or by the reflections once they are known, is a surprise. */
const ENVELOPE_MARGIN = 2;
const PATH_MARGIN = 4;
const PATH_KNOWN_FRAMES = 25;

/** How much the best lags must explain after one piece, two, or more, to be an echo … */
const ECHO_FIT = [0.45, 0.4, 0.36] as const;
/** … and how little to be none: less is needed when most of the piece was a surprise. */
const VOICE_FIT = [0.08, 0.14, 0.15] as const;
const SURPRISE_FIT = [0.15, 0.25, 0.25] as const;
const SURPRISE_FRAMES = 2;
/** Likewise for what may be no more than what the known reflections leave: it fits badly by itself. */
const REST_FIT = 0.04;
/** After so many pieces it is one or the other: two voices hardly ever fit so well for so long. */
const MAX_PIECES = 4;
const LAST_FIT = 0.15;
/** A lag that explains more power than a line returns explains nothing. */
const MAX_LEVEL = 0.25;
/** After so many frames that are explained a suspicion is over. */
const CALM_FRAMES = 10;

/** Whom a frame is of. `perhaps`: the caller, more likely than not. */
export type Hearing = 'caller' | 'perhaps' | 'nobody';

/**
 * Tells a caller's voice from the echo of what was played to him, frame by frame.
 *
 * ```
 *  played ─► evened out ─► reflections that are known ─► expected echo ┐
 *  heard ──► evened out ───────────────────────────────► what is left ─┴► much more than expected? ─► suspicion
 *                                   ▲                                                                    │
 *                                   └──────────── a new reflection ◄── is what was played found in it? ◄─┘ no: voice
 * ```
 *
 * A voice that is louder than any echo could be is one at once; else it takes the 60 ms or more in which a correlation
 * would have shown. In doubt it is an echo: a reply must not be interrupted by itself. What is louder than an echo should
 * be is `perhaps` the caller meanwhile, so that the reply can be made quieter.
 *
 * Pure; positions are samples at 8 kHz on the capture clock. Costs nothing while nothing is played.
 */
export class EchoDetector {
  readonly #played = new EchoSignal();
  readonly #heard = new EchoSignal();
  readonly #search = new EchoSearch();
  readonly #envelope = new EchoEnvelope();
  #paths: EchoPath[] = [];
  /** What the known reflections leave of the newest pieces. */
  readonly #residual = new Float64Array(PIECE_SAMPLES);
  readonly #work = new Float64Array(FRAME_SAMPLES);
  /** Power of the background of the line. */
  #noise = 1;
  #expected = 0;
  /** Of the echoes of late: what the reflections left, and what was expected. */
  #residualSum = 1;
  #expectedSum = 1;
  #learnedFrames = 0;
  #loudFrames = 0;
  #heardSum = 0;
  #playedSum = 0;
  #pieceFrames = 0;
  #pieces = 0;
  /** Frames of the piece at work. */
  #surprises = 0;
  #calmFrames = 0;
  #isVoiceFound = false;

  /** Whether an echo of what was played can still come at `startSample`. */
  isActive(startSample: number): boolean {
    const { end } = this.#played;
    return end > 0 && end + LONGEST_LAG > startSample / 2;
  }

  /** What left for the caller, at 8 kHz, and when: its first sample on the capture clock. */
  play(pcm: Int16Array, startSample: number): void {
    this.#played.write(pcm, Math.round(startSample / 2));
  }

  /** Whom the next 20 ms of the caller, at 8 kHz, are of; `isVoice` says whether they sound like a voice. */
  judge(frame: Int16Array, startSample: number, isVoice: boolean): Hearing {
    const start = Math.round(startSample / 2);
    this.#heard.write(frame, start);
    const loudest = this.#loudestOfLate(start);
    if (loudest < SILENCE_POWER) {
      this.#endSuspicion();
      return isVoice ? 'caller' : 'nobody';
    }
    const heard = this.#heard.framePower(start);
    const residual = Math.min(heard, this.#cancel(start));
    if (!isVoice) this.#followNoise(heard);
    if (isVoice && residual > this.#mostReturned() * loudest + 4 * this.#noise) return 'caller';
    const possible = this.#mostOfPaths(loudest);
    const isExplained = !isVoice || residual <= possible + 4 * this.#noise;
    let surprising = ENVELOPE_MARGIN * this.#envelope.most(this.#played, start);
    if (this.#learnedFrames > PATH_KNOWN_FRAMES) surprising = Math.min(surprising, PATH_MARGIN * possible);
    const isSurprise = isVoice && residual > surprising + 4 * this.#noise;
    this.#envelope.learn(this.#played, start, heard, isExplained);
    if (!isExplained) {
      this.#calmFrames = 0;
      this.#suspect(start, isSurprise);
    } else if (++this.#calmFrames > CALM_FRAMES) this.#endSuspicion();
    if (isVoice && this.#isVoiceFound) return 'caller';

    this.#heardSum = RETURN_FORGETTING * this.#heardSum + heard;
    // Only what has had its time to come back tells how much of it does: an echo may be 300 ms late.
    const returned = this.#played.framePower(start - LONGEST_LAG);
    this.#playedSum = RETURN_FORGETTING * this.#playedSum + returned;
    if (returned > LOUD_POWER) this.#loudFrames++;
    if (isExplained && this.#paths.length > 0) this.#learn(start, residual);
    return isSurprise ? 'perhaps' : 'nobody';
  }

  #loudestOfLate(start: number): number {
    let loudest = 0;
    for (let at = start + FRAME_SAMPLES; at > start - LONGEST_LAG; at -= FRAME_SAMPLES) {
      loudest = Math.max(loudest, this.#played.framePower(at - FRAME_SAMPLES));
    }
    return loudest;
  }

  /** The part of the loudest that was played of late that may come back. */
  #mostReturned(): number {
    if (this.#loudFrames < RETURN_KNOWN_FRAMES) return UNKNOWN_RETURN;
    return Math.min(1, (RETURN_MARGIN * this.#heardSum) / this.#playedSum);
  }

  /** The power that the known reflections can leave in the frame at work, with others that are too weak to be known. */
  #mostOfPaths(loudest: number): number {
    let gain = 0;
    for (const path of this.#paths) gain += path.gain;
    const misfit = this.#residualSum / this.#expectedSum;
    const excess = Math.max(MIN_EXCESS, Math.min(MAX_EXCESS, MISFIT_MARGIN * misfit));
    return excess * Math.max(this.#expected, UNKNOWN_REFLECTIONS * gain * loudest) + LEAST_RETURN * loudest;
  }

  #followNoise(heard: number): void {
    if (heard < 2 * this.#noise) this.#noise += 0.1 * (heard - this.#noise);
    this.#noise = Math.min(1.02 * this.#noise, Math.max(1, heard));
  }

  /** Takes the known reflections off the frame. @returns the power of what is left. */
  #cancel(start: number): number {
    const residual = this.#residual;
    const offset = PIECE_SAMPLES - FRAME_SAMPLES;
    residual.copyWithin(0, FRAME_SAMPLES);
    const first = this.#heard.index(start);
    for (let i = 0; i < FRAME_SAMPLES; i++) residual[offset + i] = this.#heard.samples[first + i]!;
    const echo = this.#work.fill(0);
    let expected = 0;
    for (const path of this.#paths) {
      path.estimate(this.#played, start);
      for (let i = 0; i < FRAME_SAMPLES; i++) echo[i]! += path.echo[i]!;
      expected += path.expectedPower(this.#played, start);
    }
    let energy = 0;
    let echoEnergy = 0;
    for (let i = 0; i < FRAME_SAMPLES; i++) {
      const left = residual[offset + i]! - echo[i]!;
      residual[offset + i] = left;
      energy += left * left;
      echoEnergy += echo[i]! * echo[i]!;
    }
    this.#expected = Math.max(expected, echoEnergy / FRAME_SAMPLES, FADE * this.#expected);
    return energy / FRAME_SAMPLES;
  }

  #learn(start: number, residual: number): void {
    this.#learnedFrames++;
    this.#residualSum = MISFIT_FORGETTING * this.#residualSum + residual;
    this.#expectedSum = MISFIT_FORGETTING * this.#expectedSum + this.#expected;
    const own = this.#work;
    const offset = PIECE_SAMPLES - FRAME_SAMPLES;
    for (const path of this.#paths) {
      for (let i = 0; i < FRAME_SAMPLES; i++) own[i] = this.#residual[offset + i]! + path.echo[i]!;
      path.learn(this.#played, start, own);
    }
  }

  /** A frame is not explained: every third time what is left is compared with what was played. */
  #suspect(start: number, isSurprise: boolean): void {
    if (isSurprise) this.#surprises++;
    if (++this.#pieceFrames < PIECE_SAMPLES / FRAME_SAMPLES) return;
    const isSurprising = this.#surprises >= SURPRISE_FRAMES;
    this.#pieceFrames = 0;
    this.#surprises = 0;
    const step = Math.min(2, this.#pieces++);
    const isLast = this.#pieces >= MAX_PIECES;
    const pieceStart = start + FRAME_SAMPLES - PIECE_SAMPLES;
    this.#search.add(this.#residual, this.#played, pieceStart);
    const { fit, level, lag } = this.#search;
    if (fit > (isLast ? LAST_FIT : ECHO_FIT[step]!) && Math.min(1, fit) * level < MAX_LEVEL) {
      this.#addPath(lag, pieceStart);
      this.#endSuspicion();
      return;
    }
    // What the reflections of a line leave, as it is bent, fits badly as well: to be a voice it must be a surprise.
    const isLineKnown = this.#learnedFrames > PATH_KNOWN_FRAMES && !isSurprising;
    const voiceFit = isLineKnown || this.#isKnown(lag) ? REST_FIT : (isSurprising ? SURPRISE_FIT : VOICE_FIT)[step]!;
    if (fit < voiceFit || (isLast && !isLineKnown)) this.#isVoiceFound = true;
    else if (isLast) this.#endSuspicion();
  }

  #isKnown(lag: number): boolean {
    return this.#paths.some(({ firstLag }) => lag >= firstLag && lag < firstLag + TAPS);
  }

  /** Takes up a reflection at `lag`, next to those that are known already. */
  #addPath(lag: number, pieceStart: number): void {
    // Nothing is known of how well it fits.
    this.#residualSum = this.#expectedSum;
    if (this.#isKnown(lag)) return;
    let first = EchoPath.firstLagOf(lag);
    for (const { firstLag } of this.#paths) {
      if (first >= firstLag && first < firstLag + TAPS) first = firstLag + TAPS;
      else if (first < firstLag && first + TAPS > firstLag) first = Math.max(0, firstLag - TAPS);
    }
    const path = new EchoPath(first);
    path.learn(this.#played, pieceStart, this.#residual);
    if (this.#paths.length === MAX_PATHS) this.#paths = this.#paths.toSorted((a, b) => b.gain - a.gain).slice(0, -1);
    this.#paths.push(path);
  }

  #endSuspicion(): void {
    if (this.#pieces === 0 && this.#pieceFrames === 0) return;
    this.#pieceFrames = 0;
    this.#pieces = 0;
    this.#surprises = 0;
    this.#calmFrames = 0;
    this.#isVoiceFound = false;
    this.#search.reset();
  }
}
