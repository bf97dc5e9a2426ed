import type { OnCall } from '../core/settings-table.ts';
import type { CallOptions } from './call.ts';

/** What is done with each transcript that has words, by `GATEWAY_ON_CALL`. */
export function onTranscript(onCall: OnCall): CallOptions['onTranscript'] {
  return onCall === 'echo' ? (call, text, turn) => void call.speak(text, { turn }) : () => {};
}
