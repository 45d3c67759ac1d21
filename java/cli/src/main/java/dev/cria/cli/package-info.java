/** The cria command: one class per subcommand, progress bars and reports. */
package dev.cria.cli;
