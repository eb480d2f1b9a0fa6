// Package collect measures the machine it runs on: processor, memory, file systems and network, as a heartbeat sample.
//
//	c, err := collect.New(ctx, collect.Config{AgentVersion: "1.4.0"})
//	…
//	sample, err := c.Sample(ctx)
//
// Load and rates are means since the sample before. The first sample measures over [Config.Window]. Values come from the
// operating system through gopsutil and fit the limits of heartbeat: texts are clipped, file systems chosen by size when
// there are too many.
//
// What is counted: memory in use is what programs could not get any more (total less available). File systems are local
// ones, each device once; network file systems are never touched, since a dead server would block the agent. Network
// counters cover the physical interfaces where the system tells them apart (Linux), else all but loopback, so traffic
// through bridges is not counted twice.
//
// Security: neither the host's name, nor addresses, users or processes are part of a sample. [MachineID] is a hash.
//
// Source: TOM 5.1.
package collect
