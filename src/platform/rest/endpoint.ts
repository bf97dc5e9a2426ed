/** How a field of a request is written in a shell: `list` is comma-separated, `base64` is the name of a file. */
export type FieldKind = 'text' | 'number' | 'flag' | 'list' | 'json' | 'base64';

/**
 * Whether a request may be sent again when its fate is not known. `read` changes nothing, `repeatable` changes the same
 * thing to the same state, `once` may do something a second time.
 */
export type Repetition = 'read' | 'repeatable' | 'once';

export interface Endpoint {
  readonly group: string;
  readonly verb: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With `{id}` where the id goes. */
  readonly path: string;
  readonly repetition: Repetition;
  /** One sentence for the help. */
  readonly about: string;
  /** Fields that are known of the body, of the query for GET. Others are allowed. */
  readonly fields: Readonly<Record<string, FieldKind>>;
  /** Where the id goes, if there is one. In the body it has every one of `names`. */
  readonly id?: { readonly in: 'path' | 'query' | 'body'; readonly names: readonly string[] };
  /** There where audio is asked for and not JSON: how much of it is taken at most. Refusals are JSON either way. */
  readonly maxAudioBytes?: number;
  /** Refuses a body before it is sent, by throwing a ValidationError. */
  readonly check?: (body: Readonly<Record<string, unknown>>) => void;
}

type Row = Omit<Endpoint, 'group' | 'verb'>;
type Fields = Endpoint['fields'];
type Extra = Pick<Endpoint, 'maxAudioBytes' | 'check'> & {
  /** Name of the query parameter that holds the id. */
  readonly idInQuery?: string;
  /** Names of the fields of the body that hold the id. */
  readonly idInBody?: readonly string[];
};

function row(
  method: Endpoint['method'],
  path: string,
  repetition: Repetition,
  about: string,
  fields: Fields,
  { idInQuery, idInBody, ...rest }: Extra,
): Row {
  const id = path.includes('{id}')
    ? ({ in: 'path', names: ['id'] } as const)
    : idInQuery !== undefined
      ? ({ in: 'query', names: [idInQuery] } as const)
      : idInBody && ({ in: 'body', names: idInBody } as const);
  return { method, path, repetition, about, fields, ...rest, ...(id && { id }) };
}

export function get(path: string, about: string, fields: Fields = {}, extra: Extra = {}): Row {
  return row('GET', path, 'read', about, fields, extra);
}

export function post(repetition: Repetition, path: string, about: string, fields: Fields = {}, extra: Extra = {}): Row {
  return row('POST', path, repetition, about, fields, extra);
}

export function patch(path: string, about: string, fields: Fields, extra: Extra = {}): Row {
  return row('PATCH', path, 'repeatable', about, fields, extra);
}

export function del(path: string, about: string, extra: Extra = {}): Row {
  return row('DELETE', path, 'repeatable', about, {}, extra);
}

/** The rows of one group, each knowing its name. */
export function group<V extends string>(name: string, rows: Readonly<Record<V, Row>>): Readonly<Record<V, Endpoint>> {
  const named = Object.entries<Row>(rows).map(([verb, endpoint]) => [verb, { group: name, verb, ...endpoint }]);
  return Object.fromEntries(named) as Record<V, Endpoint>;
}
