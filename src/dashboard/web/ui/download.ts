// Hands bytes to the browser as a file.

export function download(name: string, parts: readonly Uint8Array<ArrayBuffer>[] | string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(
    typeof parts === 'string'
      ? new Blob([parts], { type: 'text/plain' })
      : new Blob([...parts], { type: 'application/octet-stream' }),
  );
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
