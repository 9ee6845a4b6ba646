/** The label with the pod's uid, in every runtime. */
export const podUidLabel = 'io.kubernetes.pod.uid';

/** On containers that should end by themselves: init containers, and those of pods that do not restart always. */
export const meantToEndAnnotation = 'coracle.local/meant-to-end';
