export function programPath(name: string): string | undefined;
export function browserPath(): string | undefined;
export function provide(by: 'build' | 'lint' | 'test' | 'bench', peers?: readonly string[]): void;
