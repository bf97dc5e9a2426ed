import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { type WebSocket, WebSocketServer } from 'ws';
import { CallRegistry } from '../../src/call/registry.ts';
import { EventBus } from '../../src/core/events.ts';
import { registerSecret } from '../../src/core/secrets.ts';
import type { ConversationRequest } from '../../src/platform/voice-agent/conversation.ts';
import type { AgentPlatform } from '../../src/server/agent-sessions/agent-platform.ts';
import { AgentSessions } from '../../src/server/agent-sessions/agent-sessions.ts';
import { HttpServer } from '../../src/server/http-server.ts';
import { FakeClock } from '../support/fake-clock.ts';

export const TOKEN = 'gateway-token-for-tests';
export const KEY = 'sk_secret_key_of_the_platform';

const MAX_CONVERSATION_MS = 50_000;

export interface Issued {
  readonly id: string;
  readonly token: string;
  readonly expiresAt: string;
  readonly apiUrl: string;
  readonly wsUrl: string;
}

/** A gateway's HTTP server in front of a scripted platform. */
export interface AgentWorld {
  readonly url: string;
  readonly clock: FakeClock;
  readonly agentSessions: AgentSessions;
  /** What `begin` was asked for; each is answered with `job-1`, `job-2` … */
  readonly begun: ConversationRequest[];
  /** Sockets that the platform accepted, and the URLs they came by. */
  readonly agents: WebSocket[];
  readonly agentUrls: string[];
  readonly script: {
    begin?: () => Promise<string>;
    details?: () => Promise<unknown>;
    /** Status that the platform refuses connections with. */
    refuseAgents?: number;
    /** What became of slots of the quota. */
    readonly slots: string[];
  };
  /** Everything that was logged. */
  readonly log: () => string;
  readonly issue: (fields?: object, headers?: Record<string, string>) => Promise<Response>;
  readonly issued: (fields?: object) => Promise<Issued>;
  /** As the SDK begins a conversation. */
  readonly begin: (session: Issued, body?: object, headers?: Record<string, string>) => Promise<Response>;
}

export async function withAgentWorld(use: (world: AgentWorld) => Promise<void>): Promise<void> {
  registerSecret(KEY);
  const clock = new FakeClock();
  const script: AgentWorld['script'] = { slots: [] };
  const platformServer = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    verifyClient: (_info, done) => done(script.refuseAgents === undefined, script.refuseAgents),
  });
  await once(platformServer, 'listening');
  const begun: ConversationRequest[] = [];
  const agents: WebSocket[] = [];
  const agentUrls: string[] = [];
  platformServer.on('connection', (socket, request) => {
    agents.push(socket);
    agentUrls.push(request.url ?? '');
  });
  const platform: AgentPlatform = {
    agentUrl: `ws://127.0.0.1:${(platformServer.address() as AddressInfo).port}/stream`,
    apiKey: KEY,
    maxConversationMs: MAX_CONVERSATION_MS,
    begin: (request) => {
      begun.push(request);
      return script.begin?.() ?? Promise.resolve(`job-${begun.length}`);
    },
    details: (jobId) => script.details?.() ?? Promise.resolve({ id: jobId, status: 'COMPLETED' }),
    acquireConnection: async () => {
      script.slots.push('acquired');
      return {
        sent: () => script.slots.push('sent'),
        answered: () => script.slots.push('answered'),
        failed: () => script.slots.push('failed'),
      };
    },
  };
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const agentSessions = new AgentSessions({ platform, clock, logger });
  const server = new HttpServer({
    address: { host: '127.0.0.1', port: 0 },
    token: TOKEN,
    logger,
    calls: new CallRegistry(),
    events: new EventBus(clock),
    metrics: new Registry(),
    readiness: () => ({ notReady: [], degraded: false }),
    quota: () => ({}),
    agentSessions,
  });
  const url = await server.listen();
  const issue: AgentWorld['issue'] = (fields = {}, headers = {}) =>
    fetch(`${url}/v1/agent-sessions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ agentId: 'agent-1', ...fields }),
    });
  try {
    await use({
      url,
      clock,
      agentSessions,
      begun,
      agents,
      agentUrls,
      script,
      log: () => lines.join(''),
      issue,
      issued: async (fields) => (await (await issue(fields)).json()) as Issued,
      begin: ({ apiUrl, token }, body = { voiceAgentId: 'agent-1' }, headers = {}) =>
        fetch(`${apiUrl}/v1/voice-agents/conversation-init`, {
          method: 'POST',
          headers: { authorization: `Token ${token}`, 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
        }),
    });
  } finally {
    await server.close();
    for (const socket of platformServer.clients) socket.terminate();
    platformServer.close();
  }
}

export async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}
