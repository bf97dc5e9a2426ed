/** A place in the order of one call. */
export interface Ticket {
  readonly callId: string;
  /** What is to be told when its turn comes; undefined until the result is there. */
  deliver: (() => void) | undefined;
}

/** Lets results of one call out in the order in which they were asked for, however they come in. */
export class CallOrder {
  readonly #calls = new Map<string, Ticket[]>();

  /** Takes the next place in the order of `callId`. */
  enter(callId: string): Ticket {
    const ticket: Ticket = { callId, deliver: undefined };
    const tickets = this.#calls.get(callId);
    if (tickets) tickets.push(ticket);
    else this.#calls.set(callId, [ticket]);
    return ticket;
  }

  /** The result of `ticket` is there: `deliver` runs now, or once those before it are through. */
  leave(ticket: Ticket, deliver: () => void): void {
    ticket.deliver = deliver;
    const tickets = this.#calls.get(ticket.callId) ?? [];
    for (let first = tickets[0]; first?.deliver; first = tickets[0]) {
      tickets.shift();
      if (tickets.length === 0) this.#calls.delete(ticket.callId);
      first.deliver();
    }
  }
}
