/** Numbers and strings as ssh writes them (RFC 4251 section 5), and messages of the agent protocol (RFC draft-ietf-sshm-ssh-agent). */

/** What an agent says to what it does not do. */
export const agentFailure = Buffer.from([5]);
export const requestIdentities = 11;
export const identitiesAnswer = 12;
export const signRequest = 13;
export const signResponse = 14;

/** OpenSSH's own bound. Attack: a length of 4 GB, to be waited and stored for. */
export const largestMessage = 256 * 1024;

/** `uint32 length` and the bytes. */
export function string(bytes: Uint8Array | string): Buffer {
  const body = Buffer.from(bytes as Uint8Array);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

/** A number that is not negative, without zeros in front but for the sign. */
export function mpint(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start++;
  const body = bytes.subarray(start);
  return string((body[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), body]) : body);
}

/** Reads from the front. Throws RangeError when there is less than is said. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  bytes(count: number): Buffer {
    if (count > this.left) throw new RangeError("the data end too early");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  uint32(): number {
    return this.bytes(4).readUInt32BE();
  }

  string(): Buffer {
    return this.bytes(this.uint32());
  }

  text(): string {
    return this.string().toString("utf8");
  }
}

/** Takes bytes as they come and gives whole messages, without their length. `undefined` once somebody asked for too much. */
export class Messages {
  #held = Buffer.alloc(0);

  take(bytes: Uint8Array): Buffer[] | undefined {
    this.#held = Buffer.concat([this.#held, bytes]);
    const found: Buffer[] = [];
    while (this.#held.length >= 4) {
      const length = this.#held.readUInt32BE();
      if (length === 0 || length > largestMessage) return undefined;
      if (this.#held.length < 4 + length) break;
      found.push(Buffer.from(this.#held.subarray(4, 4 + length)));
      this.#held = this.#held.subarray(4 + length);
    }
    return found;
  }
}
