import type { CallEndReason } from '../core/events.ts';
import type { FrameSender } from '../rtp/transport.ts';
import type { Capture } from './capture.ts';

/** What a leg tells its call, always on the event loop. */
export interface LegHandlers {
  /** One more frame of the capture is complete. */
  onAudio(): void;
  onDtmf(digit: string, durationMs: number): void;
  onHeld(): void;
  onResumed(): void;
  /** The far side, the network or the gateway ended the leg; told once, nothing follows. */
  onEnded(reason: CallEndReason): void;
}

/** How frames for `FrameSender` are made; changes when a re-INVITE changes the codec. */
export interface LegFormat {
  readonly law: 'ulaw' | 'alaw';
  readonly payloadType: number;
  readonly ptimeMs: number;
}

/** What a leg gives its call once media may flow. */
export interface LegMedia {
  /** The caller's audio on the capture clock. */
  readonly capture: Capture;
  /** Where audio for the caller goes. Its tap and tick reach the playout through {@link LegMedia.attach}. */
  readonly sender: FrameSender;
  readonly format: LegFormat;
  /** Connects the playout to the sender's tap and tick, and tells it of a changed format. Once per leg. */
  attach(playout: LegPlayout): void;
}

/** The side of a playout that a leg drives. */
export interface LegPlayout {
  onSent(tag: number, timestamp: number, sentAtMs: number): void;
  onTick(nowMs: number): void;
  reconfigure(format: LegFormat): void;
}

/** One way into the gateway for one caller: a SIP dialog with its RTP, a microphone, a browser. */
export interface Leg {
  /** `sip` and the like, as in `call.started`. */
  readonly ingress: string;
  readonly from: string;
  readonly to: string;
  readonly sipCallId?: string;
  /** What the caller's side says of the call besides, as in `call.started`. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Takes the call. The capture clock starts when this resolves. */
  answer(handlers: LegHandlers): Promise<LegMedia>;
  /** Ends the leg from this side; `onEnded(reason)` follows. Idempotent. */
  hangup(reason: CallEndReason): void;
  /** Counters of the leg for `GET /v1/calls/:id`. */
  statistics(): Readonly<Record<string, number>>;
}
