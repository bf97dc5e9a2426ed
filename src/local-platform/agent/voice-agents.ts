import type { FastifyInstance } from 'fastify';
import { VoiceActivity } from '../../audio/voice-activity.ts';
import { ApiError, successBody } from '../api-error.ts';
import type { PlatformContext } from '../context.ts';
import { answerWithFault, goneSignal } from '../http-faults.ts';
import type { SocketEndpoint } from '../socket-server.ts';
import type { Agent, Conversation } from '../state/records.ts';
import { AgentSession } from './agent-session.ts';
import { readConversationRequest } from './conversation-request.ts';
import { fillIn } from './reply.ts';

const DEFAULT_GREETING = 'Hello! How can I help you today?';
/** Conversations at once. */
const MAX_SESSIONS = 64;

/** The hosted voice agents: `conversation-init`, and the sockets on which they are held. */
export class VoiceAgents {
  readonly #context: PlatformContext;
  readonly #sessions = new Map<string, AgentSession>();

  constructor(context: PlatformContext) {
    this.#context = context;
  }

  /** To be awaited before the first conversation. */
  start(): Promise<void> {
    return VoiceActivity.load();
  }

  addRoutes(app: FastifyInstance): void {
    const { faults, clock } = this.#context;
    app.post('/v1/voice-agents/conversation-init', async (request, reply) => {
      if (await answerWithFault(faults.take('agent-init'), reply, clock, goneSignal(reply))) return reply;
      return successBody({ jobId: this.#begin(request.body).id });
    });
  }

  /** `/stream/{jobId}` */
  get endpoint(): SocketEndpoint {
    return {
      path: /^\/stream\/[^/]+$/,
      place: 'agent-connect',
      admit: (path) => {
        const session = this.#sessions.get(path.slice(path.lastIndexOf('/') + 1));
        if (!session) throw new ApiError(404, 'There is no such conversation, or it has ended');
        return (socket) => session.connect(socket);
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.close()));
  }

  #begin(body: unknown): Conversation {
    const { voiceAgentId, params, tools } = readConversationRequest(body);
    const agent = this.#agentOf(voiceAgentId);
    if (this.#sessions.size >= MAX_SESSIONS) throw new ApiError(503, 'Too many conversations');
    const conversation = this.#context.state.conversations.start({ agent, channel: 'web', params });
    const greeting = fillIn(agent.greeting ?? DEFAULT_GREETING, conversation.params);
    const onEnded = (): void => void this.#sessions.delete(conversation.id);
    this.#sessions.set(conversation.id, new AgentSession(conversation, greeting, tools, this.#context, onEnded));
    return conversation;
  }

  /** As long as none was created, every id is an agent's. @throws ApiError 404. */
  #agentOf(id: string): Agent {
    const { state } = this.#context;
    return state.agents.size === 0 ? { ...state.make({ name: 'Voice agent' }), id } : state.agents.get(id);
  }
}
