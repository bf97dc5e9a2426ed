import type { AgentContext } from './agent-context.ts';
import type { Dialog } from './dialog.ts';
import { newBranch } from './identifiers.ts';
import type { SipResponse } from './message.ts';
import { serializeRequest } from './request.ts';

/**
 * Sends the ACK of a 2xx, the same bytes each time the 2xx comes again. It is no transaction and has a branch of its
 * own (RFC 3261 section 13.2.2.4).
 */
export function acknowledger(agent: AgentContext, dialog: Dialog, success: SipResponse): () => void {
  const ack = dialog.ack(success);
  const bytes = serializeRequest(ack, newBranch(), []);
  return () => agent.send(bytes, ack.destination);
}
