import type { Clock } from '../../core/clock.ts';
import { toError } from '../../core/errors.ts';
import { redact } from '../../core/secrets.ts';
import { isRecord } from '../platform-errors.ts';
import type { ToolCall, ToolResult } from './agent-link.ts';

const PARAMETER_TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object'] as const;

export interface ClientToolParameter {
  readonly name: string;
  /** `string`, `number`, `integer`, `boolean`, `array` or `object`. */
  readonly type: string;
  readonly description?: string;
}

/** A function that an agent may call on this side, described as the vendor's SDK wants it. */
export interface ClientTool {
  readonly function_name: string;
  /** Tells the agent's model what it is for. */
  readonly description?: string;
  readonly parameters?: readonly ClientToolParameter[];
  /** Names of the parameters without which it can not be called. */
  readonly required?: readonly string[];
  /** Handed to the platform as it is. */
  readonly func_map?: Readonly<Record<string, unknown>>;
  /**
   * Gets the arguments in the order of `parameters`, undefined for those that the agent left out. What it returns, or
   * resolves with, goes to the agent as JSON.
   */
  readonly fn: (...args: never[]) => unknown;
}

export interface ToolOutcome {
  readonly name: string;
  readonly succeeded: boolean;
  readonly durationMs: number;
}

export interface ClientToolsOptions {
  readonly clock: Clock;
  /** For one call. */
  readonly timeoutMs: number;
  readonly onOutcome: (outcome: ToolOutcome) => void;
}

const MAX_TOOLS = 128;
/** Calls at once; the agent is told of more. */
const MAX_RUNNING = 32;
/** Longest answer, as JSON. An agent's model reads all of it. */
const MAX_RESPONSE_CHARACTERS = 65_536;
const MAX_ERROR_CHARACTERS = 500;

/** The client-side tools of a conversation. Every call is answered: with a result, or with what is wrong with it. */
export class ClientTools {
  readonly #tools = new Map<string, ClientTool>();
  readonly #options: ClientToolsOptions;
  #running = 0;

  /** @throws TypeError - a tool is not described as it must be. */
  constructor(tools: readonly ClientTool[], options: ClientToolsOptions) {
    this.#options = options;
    if (tools.length > MAX_TOOLS)
      throw new TypeError(`Expected at most ${MAX_TOOLS} tools but received ${tools.length}`);
    for (const tool of tools) {
      checkTool(tool);
      if (this.#tools.has(tool.function_name)) {
        throw new TypeError(`Expected tools of different names but received '${tool.function_name}' twice`);
      }
      this.#tools.set(tool.function_name, tool);
    }
  }

  /** As `conversation-init` wants them: the form in which language models are told of functions. */
  describe(): readonly unknown[] {
    return [...this.#tools.values()].map(
      ({ function_name, description, parameters = [], required = [], func_map }) => ({
        type: 'function',
        function: {
          name: function_name,
          ...(description === undefined ? {} : { description }),
          parameters: {
            type: 'object',
            properties: Object.fromEntries(
              parameters.map(({ name, type, description: about }) => [
                name,
                { type, ...(about === undefined ? {} : { description: about }) },
              ]),
            ),
            required,
          },
          ...(func_map === undefined ? {} : { func_map }),
        },
      }),
    );
  }

  /** Calls the function of `call`. Never rejects: what goes wrong is told to the agent, as the vendor's SDK words it. */
  async run({ id, name, arguments: json }: ToolCall): Promise<ToolResult> {
    const { clock, onOutcome } = this.#options;
    const startedMs = clock.nowMs();
    let response: unknown;
    let succeeded = false;
    try {
      const tool = this.#tools.get(name);
      if (!tool) throw new ToolError('Error could not find the function');
      const args = readArguments(tool, json);
      response = boundResponse(await this.#call(tool, args));
      succeeded = true;
    } catch (thrown) {
      response =
        thrown instanceof ToolError
          ? thrown.message
          : `Error executing the function: ${redact(toError(thrown).message).slice(0, MAX_ERROR_CHARACTERS)}`;
    }
    onOutcome({ name, succeeded, durationMs: Math.round(clock.nowMs() - startedMs) });
    return { id, function: { name, response } };
  }

  #call(tool: ClientTool, args: readonly unknown[]): Promise<unknown> {
    if (this.#running >= MAX_RUNNING) throw new ToolError(`Error: ${MAX_RUNNING} functions run already`);
    this.#running++;
    const { clock, timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = clock.after(timeoutMs, () =>
        reject(new ToolError(`Error: the function did not answer within ${timeoutMs} ms`)),
      );
      // A function that never answers holds its place for good: that many are what may run at once.
      const work = Promise.resolve().then(() => (tool.fn as (...given: readonly unknown[]) => unknown)(...args));
      void work.then(resolve, reject).finally(() => {
        this.#running--;
        timer.cancel();
      });
    });
  }
}

/** What the agent is told, word for word. */
class ToolError extends Error {}

function checkTool(tool: ClientTool): void {
  const { function_name: name, parameters = [], required = [], fn } = tool;
  if (typeof name !== 'string' || !/^[\w.-]{1,128}$/.test(name)) {
    throw new TypeError(`Expected a function_name of 1-128 letters, digits, '_', '.' and '-' but received '${name}'`);
  }
  if (typeof fn !== 'function')
    throw new TypeError(`Expected a function for fn of '${name}' but received ${typeof fn}`);
  for (const parameter of parameters) {
    if (typeof parameter.name !== 'string' || parameter.name === '') {
      throw new TypeError(`Expected a name for every parameter of '${name}'`);
    }
    if (!(PARAMETER_TYPES as readonly string[]).includes(parameter.type)) {
      const found = `'${parameter.type}' for '${parameter.name}' of '${name}'`;
      throw new TypeError(`Expected a type of ${PARAMETER_TYPES.join(', ')} but received ${found}`);
    }
  }
  const missing = required.find((wanted) => !parameters.some((parameter) => parameter.name === wanted));
  if (missing !== undefined)
    throw new TypeError(`Expected required parameters to be declared but received '${missing}'`);
}

/** The arguments in the order of the declared parameters; those nobody declared are dropped. */
function readArguments({ parameters = [], required = [] }: ClientTool, json: string): unknown[] {
  let given: unknown;
  try {
    given = json.trim() === '' ? {} : JSON.parse(json);
  } catch {
    throw new ToolError('Error: the arguments are not JSON');
  }
  const args = given ?? {};
  if (!isRecord(args)) throw new ToolError('Error: the arguments are not an object');
  return parameters.map(({ name, type }) => {
    const value = Object.hasOwn(args, name) ? (args[name] ?? undefined) : undefined;
    if (value === undefined) {
      if (required.includes(name)) throw new ToolError(`Error: the argument '${name}' is missing`);
      return undefined;
    }
    if (!isOfType(value, type)) throw new ToolError(`Error: the argument '${name}' is not of type ${type}`);
    return value;
  });
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isRecord(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

/** `response` as its JSON will be read: without what JSON does not know, and not too long. */
function boundResponse(response: unknown): unknown {
  const json = JSON.stringify(response ?? null);
  if (json === undefined) throw new ToolError('Error: the result can not be written as JSON');
  if (json.length > MAX_RESPONSE_CHARACTERS) throw new ToolError(`Error: the result has ${json.length} characters`);
  return JSON.parse(json);
}
