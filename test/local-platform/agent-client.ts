import { once } from 'node:events';
import { WebSocket } from 'ws';
import { KEY, type TestPlatform } from './platform.ts';

export interface AgentFrame {
  readonly event: string;
  readonly content?: unknown;
  readonly media?: { readonly payload: string };
  readonly mark?: { readonly name: string };
}

/** Begins a conversation. @returns its id. */
export async function begin(platform: TestPlatform, fields: object = {}): Promise<string> {
  const response = await platform.post('/v1/voice-agents/conversation-init', { voiceAgentId: 'agent-1', ...fields });
  const body = (await response.json()) as { data: { jobId: string } };
  return body.data.jobId;
}

export async function conversation(platform: TestPlatform, jobId: string): Promise<Record<string, unknown>> {
  const headers = { authorization: `Token ${KEY}` };
  const response = await fetch(`${platform.url}/v1/voice-agents/conversation/${jobId}`, { headers });
  return ((await response.json()) as { data: Record<string, unknown> }).data;
}

/** A client of an agent that keeps every frame, and returns marks when it is told to. */
export class AgentClient {
  readonly socket: WebSocket;
  readonly frames: AgentFrame[] = [];
  readonly closed: Promise<number>;
  #wake: () => void = () => {};

  private constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.on('error', () => {});
    this.socket.on('message', (data) => {
      this.frames.push(JSON.parse((data as Buffer).toString()) as AgentFrame);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code) => {
        resolve(code);
        this.#wake();
      });
    });
  }

  /** Connects and sends `start`. */
  static async connect(platform: TestPlatform, jobId: string): Promise<AgentClient> {
    const client = new AgentClient(`${platform.agentUrl}/${jobId}?api_key=${KEY}`);
    await once(client.socket, 'open');
    client.send({ event: 'start', streamSid: 'WEBSDK' });
    return client;
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** 16 kHz, at once, as the vendor's SDK sends it: 128 floats a frame. */
  speak(pcm: Int16Array): void {
    for (let from = 0; from < pcm.length; from += 128) {
      const floats = Float32Array.from(pcm.subarray(from, from + 128), (sample) => sample / 32768);
      const payload = Buffer.from(floats.buffer).toString('base64');
      this.send({ event: 'media', streamSid: 'WEBSDK', media: { payload } });
    }
  }

  of(event: string): AgentFrame[] {
    return this.frames.filter((frame) => frame.event === event);
  }

  /** 16-bit samples received, in bytes. */
  get audio(): Buffer {
    return Buffer.concat(this.of('media').map(({ media }) => Buffer.from(media!.payload, 'base64')));
  }

  /** Waits until there are `count` frames of `event`. @returns the last of them. @throws if the connection ends before. */
  async until(event: string, count = 1): Promise<AgentFrame> {
    for (;;) {
      const found = this.of(event)[count - 1];
      if (found) return found;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`The connection ended before a ${event}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** As the SDK ends a call. */
  async stop(): Promise<void> {
    this.send({ event: 'stop' });
    this.socket.close(1000);
    await this.closed;
  }
}
