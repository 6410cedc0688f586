// Package supervise runs a command, usually Terraform or OpenTofu, beside which shifts can be
// followed and whose sudden end leaves no shift open. It is the verb "bluegreen exec".
//
// Without a terminal there are two processes. The front is the child of the job: it passes
// signals on, relays output, and ends with the exit code of the command. The supervisor runs the
// command. It is in a session of its own, is nobody's child, and has no variable by which CI
// systems find the processes of a job. If the front or its parent dies, the supervisor interrupts
// the command once, reads its output to the end, and waits for it. So a job that is killed ends
// Terraform in an orderly way: traffic rolled back, state saved, lock released.
//
// With a terminal, this process runs the command in the foreground of that terminal, where prompts
// and job control work as without it. On Windows it runs the command in its own console.
//
// In both cases a session follows the journals that the provider announces (report.Announce). At
// the end it recovers shifts that are still open, and writes the summary of the job.
package supervise
