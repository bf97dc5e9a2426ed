/** Two seconds of the SDK's microphone: 125 messages of 745 bytes a second. The last words matter, older ones were said to nobody. */
const MAX_AUDIO_BYTES = 192 << 10;
/** Marks and answers of tools. */
const MAX_OTHER_BYTES = 1 << 20;
/** The SDK begins a message of audio with its event. */
const AUDIO = /^\s*\{\s*"event"\s*:\s*"media"/;
const LONGEST_BEGINNING_BYTES = 64;

export interface Message {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/** Whether a page's message is of its microphone. */
export function isAudioMessage(data: Buffer): boolean {
  return AUDIO.test(data.toString('latin1', 0, LONGEST_BEGINNING_BYTES));
}

/** What a page sends while there is no way to its agent, in order. */
export class HeldMessages {
  #messages: (Message & { readonly isAudio: boolean })[] = [];
  #audioBytes = 0;
  #otherBytes = 0;

  /** Newer audio pushes the oldest out. @returns whether there was room. */
  hold(data: Buffer, isBinary: boolean): boolean {
    const isAudio = isAudioMessage(data);
    if (!isAudio && this.#otherBytes + data.length > MAX_OTHER_BYTES) return false;
    this.#messages.push({ data, isBinary, isAudio });
    if (!isAudio) {
      this.#otherBytes += data.length;
      return true;
    }
    this.#audioBytes += data.length;
    while (this.#audioBytes > MAX_AUDIO_BYTES) {
      const oldest = this.#messages.findIndex((message) => message.isAudio);
      this.#audioBytes -= this.#messages.splice(oldest, 1)[0]!.data.length;
    }
    return true;
  }

  /** Hands everything over. */
  take(): readonly Message[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#audioBytes = 0;
    this.#otherBytes = 0;
    return messages;
  }
}
