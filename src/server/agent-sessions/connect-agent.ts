import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { Clock } from '../../core/clock.ts';
import { GatewayError, toError } from '../../core/errors.ts';
import { redact } from '../../core/secrets.ts';
import { errorFromAnswer } from '../../platform/platform-errors.ts';
import type { AgentPlatform } from './agent-platform.ts';

/** Minutes of audio in one message. */
const MAX_AGENT_MESSAGE_BYTES = 8 << 20;
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Opens the platform's socket of a conversation. It is paused, so that nothing is lost before somebody listens.
 *
 * @throws GatewayError `ERR_PLATFORM_*` - the platform refuses it or can not be reached; `ERR_ABORTED`.
 */
export async function connectAgent(
  platform: AgentPlatform,
  jobId: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<WebSocket> {
  const slot = await platform.acquireConnection(signal);
  // The vendor's protocol has the key in the URL, which therefore goes nowhere else.
  const url = new URL(`${platform.agentUrl.replace(/\/+$/, '')}/${encodeURIComponent(jobId)}`);
  url.searchParams.set('api_key', platform.apiKey);
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    maxPayload: MAX_AGENT_MESSAGE_BYTES,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
  slot.sent();
  socket.on('open', () => socket.pause());
  socket.on('upgrade', ({ headers }) => slot.answered(headers));
  const refused = new Promise<never>((_resolve, reject) => {
    socket.on('unexpected-response', (request, response: IncomingMessage) => {
      request.destroy();
      const { statusCode: status = 0, headers } = response;
      reject(errorFromAnswer({ status, headers, body: '' }, clock.wallMs()));
    });
  });
  try {
    await Promise.race([once(socket, 'open', { signal }), refused]);
    return socket;
  } catch (thrown) {
    socket.on('error', () => {}).terminate();
    const error = signal.aborted ? new GatewayError('ERR_ABORTED', 'the page is gone') : asPlatformError(thrown);
    slot.failed(error);
    throw error;
  }
}

function asPlatformError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  const reason = redact(toError(thrown).message);
  return new GatewayError('ERR_PLATFORM_UNAVAILABLE', `the agent's socket can not be opened: ${reason}`);
}
