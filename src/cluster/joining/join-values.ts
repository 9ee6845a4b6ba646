// Forms of the values that a machine needs to join. The command line checks them before it loads the rest.

/** Of --ca-cert-hash, as kubeadm prints it: sha256: and 64 hexadecimal digits. */
export const isCaHash = (text: string): boolean => /^sha256:[0-9a-f]{64}$/.test(text);

/** Of --certificate-key: 64 hexadecimal digits. */
export const isCertificateKey = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
