// The steps of lessons that are done, kept in this browser.

const place = (lesson: string): string => `coracle.lesson.${lesson}`;

export const doneSteps = (lesson: string): number => Number(localStorage.getItem(place(lesson)) ?? 0) || 0;

export const setDoneSteps = (lesson: string, count: number): void => localStorage.setItem(place(lesson), String(count));
