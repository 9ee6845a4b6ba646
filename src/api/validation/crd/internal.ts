// How Kubernetes prints the versions of a definition in a message: as its internal type, with Go's names of fields.

/** Only the outline: what all versions share stands at the top of the spec, and is null here. */
export const internalVersions = (versions: readonly any[]): unknown =>
  versions.map((version) => ({
    Name: version.name,
    Served: version.served,
    Storage: version.storage,
    Deprecated: version.deprecated ?? false,
    DeprecationWarning: version.deprecationWarning ?? null,
    Schema: null,
    Subresources: null,
    AdditionalPrinterColumns: null,
    SelectableFields: null,
  }));
