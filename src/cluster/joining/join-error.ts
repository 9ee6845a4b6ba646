/** A machine cannot join the cluster. The message has cause and remedy. */
export class JoinError extends Error {
  override readonly name = 'JoinError';
}
