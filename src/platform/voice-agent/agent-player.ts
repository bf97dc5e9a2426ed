/** What a player tells of the agent's voice as the caller hears it. */
export interface AgentPlayerHandlers {
  /** The first sample after silence is heard. */
  onSpeaking(): void;
  /** Nothing waits to be heard any more. */
  onListening(): void;
  /** All audio that was given before this mark was heard. */
  onMark(name: string): void;
  /** 16 bit at 16 kHz, as it is heard and with the volume applied; valid during the call only. */
  onPlayed?(pcm: Int16Array): void;
}

/** Plays the agent's voice to the caller in real time, however it comes. */
export interface AgentPlayer {
  /** Whether anything waits to be heard, or is being heard. */
  readonly isPlaying: boolean;
  /** Audio that was dropped because too much of it waited already, or the caller was on hold. */
  readonly droppedMs: number;
  /** 16 bit mono at 16 kHz, which is not kept. */
  play(pcm: Int16Array): void;
  /** Marks the end of what was given so far. */
  mark(name: string): void;
  /** Silences the caller's ear now. Marks that were not reached are forgotten. */
  clear(): void;
  /** Nothing is heard until {@link resume}. */
  pause(): void;
  /** Goes on where it was; a player may leave out what nobody waits for any more. */
  resume(): void;
  /** 0 … 1. */
  setVolume(volume: number): void;
  /** Plays nothing any more. */
  close(): void;
}

export type CreateAgentPlayer = (handlers: AgentPlayerHandlers) => AgentPlayer;

/** Longest audio that waits to be heard: an agent that talks on for so long is not being listened to. */
export const MAX_WAITING_MS = 300_000;
/** Marks that wait; more are a fault of the agent. */
export const MAX_MARKS = 1_000;
