/** The configuration cannot be used; the message has every fault of it. */
export class SchedulerConfigurationError extends Error {
  override readonly name = 'SchedulerConfigurationError';
}
