import { SipSyntaxError } from './grammar.ts';
import { hostAddress, type SocketAddress } from './socket-address.ts';

/** A `sip:` or `sips:` URI (RFC 3261 section 19.1). Escapes are kept as written; `text` is the whole of it. */
export interface SipUri {
  readonly scheme: 'sip' | 'sips';
  readonly text: string;
  readonly user: string | undefined;
  /** A name, an IPv4 address or a bracketed IPv6 address. */
  readonly host: string;
  readonly port: number | undefined;
  /** By lower-case name; '' = no value. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Whether it carries `?header=value`, which some places forbid. */
  readonly hasHeaders: boolean;
}

/** A URI of another scheme (`tel:`, `http:` …), taken apart no further. */
export interface OtherUri {
  readonly scheme: string;
  readonly text: string;
  readonly host: undefined;
}

export type Uri = SipUri | OtherUri;

const ESCAPED = '%[0-9A-Fa-f]{2}';
const UNRESERVED = "A-Za-z0-9\\-_.!~*'()";
const USER_INFO = new RegExp(`^(?:[${UNRESERVED}&=+$,;?/]|${ESCAPED})+(?::(?:[${UNRESERVED}&=+$,]|${ESCAPED})*)?$`);
/** Underscores are not in the grammar but in many a machine's name. */
const HOST_PORT = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/;
const PARAMETER = new RegExp(
  `^((?:[${UNRESERVED}[\\]/:&+$]|${ESCAPED})+)(?:=((?:[${UNRESERVED}[\\]/:&+$]|${ESCAPED})+))?$`,
);
const HEADERS = new RegExp(
  `^(?:[${UNRESERVED}[\\]/?:+$]|${ESCAPED})+=(?:[${UNRESERVED}[\\]/?:+$]|${ESCAPED})*(?:&(?:[${UNRESERVED}[\\]/?:+$]|${ESCAPED})+=(?:[${UNRESERVED}[\\]/?:+$]|${ESCAPED})*)*$`,
);
const ABSOLUTE = /^([A-Za-z][A-Za-z0-9+.-]*):[\w\-.!~*'();/?:@&=+$,%#[\]]+$/;

export function isSipUri(uri: Uri): uri is SipUri {
  return uri.host !== undefined;
}

/** @throws SipSyntaxError - when the text is not a URI, or a sip URI that breaks its grammar. */
export function parseUri(text: string): Uri {
  const scheme = ABSOLUTE.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) throw new SipSyntaxError('Bad URI');
  if (scheme !== 'sip' && scheme !== 'sips') return { scheme, text, host: undefined };

  const afterScheme = text.slice(scheme.length + 1);
  const at = afterScheme.lastIndexOf('@');
  const userInfo = at < 0 ? undefined : afterScheme.slice(0, at);
  const afterUser = afterScheme.slice(at + 1);
  const question = afterUser.indexOf('?');
  const headers = question < 0 ? undefined : afterUser.slice(question + 1);
  const [hostPort = '', ...parameterTexts] = (question < 0 ? afterUser : afterUser.slice(0, question)).split(';');
  const hostMatch = HOST_PORT.exec(hostPort);
  const port = hostMatch?.[2] === undefined ? undefined : Number(hostMatch[2]);
  const valid =
    hostMatch?.[1] !== undefined &&
    (userInfo === undefined || USER_INFO.test(userInfo)) &&
    (headers === undefined || HEADERS.test(headers)) &&
    (port === undefined || port <= 65535);
  if (!valid) throw new SipSyntaxError('Bad SIP URI');

  return {
    scheme,
    text,
    user: userInfo?.split(':')[0],
    host: hostMatch[1] as string,
    port,
    parameters: parseUriParameters(parameterTexts),
    hasHeaders: headers !== undefined,
  };
}

function parseUriParameters(texts: readonly string[]): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const parameterText of texts) {
    const match = PARAMETER.exec(parameterText);
    const name = match?.[1]?.toLowerCase();
    if (name === undefined || parameters.has(name)) throw new SipSyntaxError('Bad SIP URI');
    parameters.set(name, match?.[2] ?? '');
  }
  return parameters;
}

/** Who a URI names: the user part of a sip URI or the number of a tel URI, escapes resolved. */
export function uriUser(uri: Uri): string | undefined {
  const user = isSipUri(uri) ? uri.user : uri.scheme === 'tel' ? uri.text.slice(4).split(';')[0] : undefined;
  if (user === undefined) return undefined;
  try {
    return decodeURIComponent(user);
  } catch {
    return user;
  }
}

/** Where a URI's own address points; undefined when it has a name. */
export function uriEndpoint(uri: SipUri): SocketAddress | undefined {
  const address = hostAddress(uri.parameters.get('maddr') ?? uri.host);
  return address === undefined ? undefined : { address, port: uri.port ?? 5060 };
}
