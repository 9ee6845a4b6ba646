// Annotations of containers in the runtime.

/** The resources at the container's creation, as JSON. */
export const resourcesAnnotation = 'coracle.local/resources';
/** The pod-level resources at that time. */
export const podResourcesAnnotation = 'coracle.local/pod-resources';
