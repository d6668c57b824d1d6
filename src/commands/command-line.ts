export { type Argument, Command, InvalidArgumentError, type Option } from 'commander';
