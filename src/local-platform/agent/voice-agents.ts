import { z } from 'zod';
import { VoiceActivity } from '../../audio/voice-activity.ts';
import { type Route, route } from '../api/route.ts';
import { ApiError } from '../api-error.ts';
import type { PlatformContext } from '../context.ts';
import type { SocketEndpoint } from '../socket-server.ts';
import type { Agent, Conversation } from '../state/records.ts';
import { AgentSession } from './agent-session.ts';
import { type ConversationRequest, conversationRequest } from './conversation-request.ts';
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

  get routes(): Route[] {
    return [
      route({
        operation: 'extras.beginConversation',
        method: 'POST',
        path: '/v1/voice-agents/conversation-init',
        about: 'Begin a conversation with a voice agent, which is held over `/stream/{jobId}`.',
        isExtra: true,
        body: conversationRequest,
        answer: z.object({ jobId: z.uuid() }),
        handle: ({ body }) => ({ jobId: this.#begin(body).id }),
      }),
    ];
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

  #begin({ voiceAgentId, params, tools }: ConversationRequest): Conversation {
    const agent = this.#agentOf(voiceAgentId);
    if (this.#sessions.size >= MAX_SESSIONS) throw new ApiError(503, 'Too many conversations');
    const conversation = this.#context.state.conversations.start({
      agent,
      channel: 'web',
      params: params ?? undefined,
    });
    const greeting = fillIn(agent.greeting ?? DEFAULT_GREETING, conversation.params);
    const onEnded = (): void => void this.#sessions.delete(conversation.id);
    const functions = (tools ?? []).map((tool) => tool.function);
    this.#sessions.set(conversation.id, new AgentSession(conversation, greeting, functions, this.#context, onEnded));
    return conversation;
  }

  /** As long as none was created, every id is an agent's. @throws ApiError 404. */
  #agentOf(id: string): Agent {
    const { state } = this.#context;
    return state.agents.size === 0 ? { ...state.make({ name: 'Voice agent' }), id } : state.agents.get(id);
  }
}
