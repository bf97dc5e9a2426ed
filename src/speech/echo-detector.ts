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

/** What an echo may be louder than expected: between the two, by how well the line is known. */
const MIN_EXCESS = 0.5;
const MAX_EXCESS = 3;
const MISFIT_ATTACK = 0.5;
const MISFIT_DECAY = 0.02;
/** Where the echo of a frame is expected to end, it fades by this much a frame. */
const FADE = 0.5;
/** Weaker reflections than those that are known may be so loud, relative to the loudest that was played of late. */
const UNKNOWN_REFLECTIONS = 0.1;
const LEAST_RETURN = 1e-4;

/** How much the best lag must explain after one piece, two, or more, to be an echo … */
const ECHO_FIT = [0.6, 0.25, 0.18] as const;
/** … and how little to be none: less is needed when the frame is far louder than the known echo. */
const VOICE_FIT = [0.03, 0.1, 0.1] as const;
const SURPRISE_FIT = [0.1, 0.1, 0.1] as const;
const SURPRISE = 4;
const SURPRISE_FRAMES = 15;
/** After so many pieces that were neither it is a voice. */
const MAX_PIECES = 5;
/** 2 ms: within the response of one reflection. */
const STEADY_LAGS = 8;
/** A lag that explains more power than a line returns explains nothing. */
const MAX_LEVEL = 0.25;
/** After so many frames that are explained a suspicion is over. */
const CALM_FRAMES = 10;

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
 * would have shown. In doubt it is an echo: a reply must not be interrupted by itself.
 *
 * Pure; positions are samples at 8 kHz on the capture clock. Costs nothing while nothing is played.
 */
export class EchoDetector {
  readonly #played = new EchoSignal();
  readonly #heard = new EchoSignal();
  readonly #search = new EchoSearch();
  #paths: EchoPath[] = [];
  /** What the known reflections leave of the newest pieces. */
  readonly #residual = new Float64Array(PIECE_SAMPLES);
  readonly #work = new Float64Array(FRAME_SAMPLES);
  /** Power of the background of the line. */
  #noise = 1;
  #expected = 0;
  /** How much of an expected echo the reflections leave, at its worst. */
  #misfit = 1;
  #learnedFrames = 0;
  #loudFrames = 0;
  #heardSum = 0;
  #playedSum = 0;
  #pieceFrames = 0;
  #pieces = 0;
  /** That explained most of the first piece. */
  #firstLag = 0;
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

  /** Whether the next 20 ms of the caller, at 8 kHz, are his voice; `isVoice` says whether they sound like one. */
  isCaller(frame: Int16Array, startSample: number, isVoice: boolean): boolean {
    const start = Math.round(startSample / 2);
    this.#heard.write(frame, start);
    const loudest = this.#loudestOfLate(start);
    if (loudest < SILENCE_POWER) {
      this.#endSuspicion();
      return isVoice;
    }
    const heard = this.#heard.framePower(start);
    const residual = Math.min(heard, this.#cancel(start));
    const expected = this.#expected;
    if (!isVoice) this.#followNoise(heard);
    if (isVoice && residual > this.#mostReturned() * loudest + 4 * this.#noise) return true;

    let gain = 0;
    for (const path of this.#paths) gain += path.gain;
    const excess = Math.max(MIN_EXCESS, Math.min(MAX_EXCESS, MAX_EXCESS * this.#misfit));
    const isExplained =
      !isVoice ||
      residual <=
        excess * Math.max(expected, UNKNOWN_REFLECTIONS * gain * loudest) + 4 * this.#noise + LEAST_RETURN * loudest;
    if (!isExplained) {
      this.#calmFrames = 0;
      const isSurprise = this.#learnedFrames > SURPRISE_FRAMES && residual > SURPRISE * expected + 8 * this.#noise;
      if (this.#suspect(start, isSurprise)) return true;
    } else if (++this.#calmFrames > CALM_FRAMES) this.#endSuspicion();

    this.#heardSum = RETURN_FORGETTING * this.#heardSum + heard;
    // Only what has had its time to come back tells how much of it does: an echo may be 300 ms late.
    const returned = this.#played.framePower(start - LONGEST_LAG);
    this.#playedSum = RETURN_FORGETTING * this.#playedSum + returned;
    if (returned > LOUD_POWER) this.#loudFrames++;
    if (isExplained && this.#paths.length > 0) this.#learn(start, residual);
    return false;
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
    const expected = this.#expected;
    if (expected > 2 * this.#noise) {
      const ratio = Math.min(1, Math.max(0, residual - this.#noise) / expected);
      this.#misfit += (ratio > this.#misfit ? MISFIT_ATTACK : MISFIT_DECAY) * (ratio - this.#misfit);
    }
    const own = this.#work;
    const offset = PIECE_SAMPLES - FRAME_SAMPLES;
    for (const path of this.#paths) {
      for (let i = 0; i < FRAME_SAMPLES; i++) own[i] = this.#residual[offset + i]! + path.echo[i]!;
      path.learn(this.#played, start, own);
    }
  }

  /** A frame is not explained. @returns whether the voice in it was found not to be an echo. */
  #suspect(start: number, isSurprise: boolean): boolean {
    if (++this.#pieceFrames < PIECE_SAMPLES / FRAME_SAMPLES) return this.#isVoiceFound;
    this.#pieceFrames = 0;
    const step = Math.min(2, this.#pieces++);
    const pieceStart = start + FRAME_SAMPLES - PIECE_SAMPLES;
    this.#search.add(this.#residual, this.#played, pieceStart);
    const { fit, level, lag } = this.#search;
    if (step === 0) this.#firstLag = lag;
    const isLast = this.#pieces >= MAX_PIECES;
    // A voice fits best anywhere; one lag all the time is a reflection, however much of it the line has smeared.
    const isSteady = isLast && Math.abs(lag - this.#firstLag) < STEADY_LAGS && !this.#isKnown(lag);
    if ((fit > ECHO_FIT[step]! || isSteady) && fit * level < MAX_LEVEL) {
      this.#addPath(lag, pieceStart);
      this.#endSuspicion();
      return false;
    }
    const voiceFit = isSurprise ? SURPRISE_FIT : VOICE_FIT;
    if (fit < voiceFit[step]! || isLast) this.#isVoiceFound = true;
    return this.#isVoiceFound;
  }

  #isKnown(lag: number): boolean {
    return this.#paths.some(({ firstLag }) => lag >= firstLag && lag < firstLag + TAPS);
  }

  /** Takes up a reflection at `lag`, next to those that are known already. */
  #addPath(lag: number, pieceStart: number): void {
    this.#misfit = 1;
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
    this.#calmFrames = 0;
    this.#isVoiceFound = false;
    this.#search.reset();
  }
}
