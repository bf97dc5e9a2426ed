import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { encodeWav } from '../../src/audio/wav.ts';
import { findProgram } from '../support/needs.ts';

export interface PageEvent {
  readonly type: string;
  readonly at: number;
  readonly value?: unknown;
}

export interface Level {
  readonly at: number;
  readonly rms: number;
}

export interface Frame {
  readonly at: number;
  readonly from: 'page' | 'agent';
  readonly text: string;
}

export interface TalkOptions {
  /** The API key, or a token in its place. */
  readonly key: string;
  readonly apiUrl: string;
  readonly wsUrl: string;
  readonly agentId: string;
  /** What the page's tool `flightTime` returns. */
  readonly toolAnswer: string;
}

/** The vendor's unmodified SDK in a page of a real browser, whose microphone plays `microphone` (16 kHz) once. */
export class SdkPage {
  /** Everything that the page's world could show: URLs, headers, bodies, console lines, errors, messages. */
  readonly seen: string[] = [];
  readonly frames: Frame[] = [];
  /** What the console and uncaught exceptions called an error. */
  readonly errors: string[] = [];
  readonly #folder: string;
  readonly #server: Server;
  readonly #browser: Browser;
  readonly #page: Page;

  private constructor(folder: string, server: Server, browser: Browser, page: Page) {
    this.#folder = folder;
    this.#server = server;
    this.#browser = browser;
    this.#page = page;
  }

  static async open(microphone: Int16Array): Promise<SdkPage> {
    const folder = mkdtempSync(join(tmpdir(), 'sdk-page-'));
    const wav = join(folder, 'microphone.wav');
    writeFileSync(wav, encodeWav(microphone, 16_000));
    const server = await servePage();
    const browser = await chromium.launch({
      executablePath: findProgram('chromium')!,
      args: [
        '--no-sandbox',
        '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream',
        `--use-file-for-fake-audio-capture=${wav}%noloop`,
        '--autoplay-policy=no-user-gesture-required',
      ],
    });
    const page = await browser.newPage();
    const opened = new SdkPage(folder, server, browser, page);
    opened.#watch();
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    return opened;
  }

  /** Starts a call, with the words of the SDK's own options. */
  async talk(options: TalkOptions): Promise<void> {
    await this.#run(`talk(${JSON.stringify(options)})`);
  }

  /** Runs an expression in the page. */
  #run<T>(expression: string): Promise<T> {
    return this.#page.evaluate<T>(expression);
  }

  /** Starts another call with the same token, by the same object of the SDK. */
  async talkAgain(): Promise<void> {
    await this.#run('talkAgain()');
  }

  /** Microphones that the page has and did not give back. */
  liveMicrophones(): Promise<number> {
    return this.#run('liveMicrophones()');
  }

  async end(): Promise<void> {
    await this.#run('agent.end()');
  }

  async jobDetails(): Promise<Record<string, unknown>> {
    return this.#run('agent.getJobDetails(5, 200)');
  }

  events(): Promise<PageEvent[]> {
    return this.#run('events');
  }

  levels(): Promise<Level[]> {
    return this.#run('levels');
  }

  /** Waits until the page has noted `count` events of a type. @returns the last of them. */
  async until(type: string, count = 1, withinMs = 20_000): Promise<PageEvent> {
    const expression = `events.filter((event) => event.type === '${type}')[${count - 1}]`;
    try {
      const handle = await this.#page.waitForFunction(expression, undefined, { timeout: withinMs, polling: 20 });
      return (await handle.jsonValue()) as PageEvent;
    } catch (cause) {
      const events = JSON.stringify(await this.events());
      throw new Error(`${count} × ${type} did not happen; events: ${events}; seen: ${this.seen.join('\n')}`, { cause });
    }
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #watch(): void {
    const { seen, frames, errors } = this;
    this.#page
      .on('request', (request) => seen.push(request.url(), JSON.stringify(request.headers()), request.postData() ?? ''))
      .on('response', (response) => {
        seen.push(response.url(), JSON.stringify(response.headers()));
        void response.text().then(
          (text) => seen.push(text),
          () => {},
        );
      })
      .on('console', (message) => {
        seen.push(message.text(), message.location().url);
        if (message.type() === 'error') errors.push(message.text());
      })
      .on('pageerror', (error) => {
        seen.push(String(error.stack));
        errors.push(String(error));
      })
      .on('websocket', (socket) => {
        seen.push(socket.url());
        const keep = (from: Frame['from'], payload: string | Buffer): void => {
          seen.push(payload.toString());
          frames.push({ at: Date.now(), from, text: payload.toString() });
        };
        socket.on('framesent', ({ payload }) => keep('page', payload));
        socket.on('framereceived', ({ payload }) => keep('agent', payload));
        socket.on('socketerror', (error) => seen.push(error));
      });
  }
}

async function servePage(): Promise<Server> {
  const html = readFileSync(new URL('page.html', import.meta.url));
  const sdk = readFileSync(new URL('../../node_modules/@hamsa-ai/voice-agents-sdk/dist/index.umd.js', import.meta.url));
  const server = createServer((request, response) => {
    const isSdk = request.url === '/sdk.js';
    response.setHeader('content-type', isSdk ? 'text/javascript' : 'text/html');
    response.end(isSdk ? sdk : html);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
