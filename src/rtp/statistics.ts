/**
 * What became of every datagram, one count each:
 *
 * ```
 *  RTP datagrams = malformed + fromWrongSource + received
 *  received      = delivered + duplicates + late + telephoneEvents + keepAlives + unknownPayloadType + unverified
 *                  + those that wait behind a gap
 * ```
 */
export class ReceiveCounters {
  /** Not RTP, broken, or larger than telephone audio is. */
  malformed = 0;
  /** Refused by the source lock. */
  fromWrongSource = 0;
  received = 0;
  /** Handed on as audio. */
  delivered = 0;
  duplicates = 0;
  /** Arrived after they had been given up. */
  late = 0;
  /** Arrived out of order and were put in order; counted under `delivered` as well. */
  reordered = 0;
  telephoneEvents = 0;
  /** Packets without payload (RFC 6263). */
  keepAlives = 0;
  unknownPayloadType = 0;
  /** Of an SSRC or with a sequence number that no second packet confirmed. */
  unverified = 0;
  /** Numbers that were waited for in vain. */
  givenUp = 0;
  /** Breaks of the timeline. */
  discontinuities = 0;
}

/** A snapshot of one leg's media; counts are since its start. */
export interface RtpStatistics
  extends Readonly<
    Pick<
      ReceiveCounters,
      | 'malformed'
      | 'fromWrongSource'
      | 'received'
      | 'delivered'
      | 'duplicates'
      | 'late'
      | 'reordered'
      | 'telephoneEvents'
      | 'keepAlives'
      | 'unknownPayloadType'
      | 'unverified'
      | 'discontinuities'
    >
  > {
  /** Packets that wait behind a gap at this moment. */
  readonly waiting: number;
  /** Packets that never arrived. */
  readonly lost: number;
  /** Of the packets expected in the last report interval: 0-1. */
  readonly fractionLost: number;
  readonly interarrivalJitterMs: number;
  /** Undefined until the peer has reported on what we send. */
  readonly roundTripMs: number | undefined;
  /** What the peer lost of our packets in its last report interval: 0-1; undefined, as what follows, until it has. */
  readonly remoteFractionLost: number | undefined;
  /** Of all our packets so far; negative when duplicates outnumber losses. */
  readonly remoteLost: number | undefined;
  readonly remoteInterarrivalJitterMs: number | undefined;
  readonly rtcpSent: number;
  readonly rtcpReceived: number;
  /** RTCP from elsewhere, or that can not be read. */
  readonly rtcpDiscarded: number;
  readonly packetsSent: number;
  readonly octetsSent: number;
  /** Datagrams that could not be sent or were lost in a full socket buffer, where the system tells. */
  readonly transportErrors: number;
}
