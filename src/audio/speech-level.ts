import type { SpeechLevels } from './speech-power.ts';

/** What is more than 26 dB weaker than the voice is its breath and its room; final syllables are stronger. */
const RANGE = 10 ** (-26 / 10);
/** The level is that of the loudest syllable, which fades by 10 dB a second: sentences end quieter than they begin. */
const ATTACK_MS = 60;
const FADE_PER_MS = 10 ** (-10 / 10 / 1000);
/** A voice that was not heard for so long is forgotten: the next may be a far weaker one. */
const MEMORY_MS = 300;

/** Follows how loud a voice is, to tell where it ends although its breath still stands out from the background. */
export class SpeechLevel {
  #smoothed = 0;
  #loudest = 0;
  #silentMs = 0;

  /** Power that a frame must add to the background to belong to the voice; 0 if none was heard of late. */
  get least(): number {
    return RANGE * this.#loudest;
  }

  /** Takes the levels of the next frame; whole, since a number of its own would be an object for each frame. */
  add({ power }: Readonly<SpeechLevels>, isVoice: boolean, durationMs: number): void {
    this.#silentMs = isVoice ? 0 : this.#silentMs + durationMs;
    if (this.#silentMs > MEMORY_MS) {
      this.reset();
      return;
    }
    const heard = isVoice ? power : 0;
    this.#smoothed += (heard - this.#smoothed) * Math.min(1, durationMs / ATTACK_MS);
    this.#loudest = Math.max(this.#smoothed, this.#loudest * FADE_PER_MS ** durationMs);
  }

  reset(): void {
    this.#smoothed = 0;
    this.#loudest = 0;
    this.#silentMs = 0;
  }
}
