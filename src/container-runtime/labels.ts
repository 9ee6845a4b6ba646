/** The label by which containers are known to belong to a pod, in every runtime. */
export const podUidLabel = 'io.kubernetes.pod.uid';
