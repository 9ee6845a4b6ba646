// The machine that enforces policies.

export interface PacketFilter {
  /**
   * Applies a script of nft in one transaction. Rejects with its error; the error has the code ENOENT when nft is not
   * installed.
   */
  nft(script: string): Promise<void>;
  /** The device that leads to an address; undefined: none. */
  deviceTo(address: string): Promise<string | undefined>;
  /** Lets the filter see packets between two ports of a bridge. False: the kernel has no such module. */
  filterBridges(): Promise<boolean>;
}
