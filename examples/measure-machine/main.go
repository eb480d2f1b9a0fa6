// Command measure-machine prints one heartbeat of this machine.
package main

import (
	"context"
	"io"
	"log"
	"os"

	"github.com/pioneerdesk/tomkit/heartbeat/collect"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	collector, err := collect.New(ctx, collect.Config{AgentVersion: "example"})
	if err != nil {
		return err
	}
	sample, err := collector.Sample(ctx)
	if err != nil {
		return err
	}
	text, err := sample.Encode()
	if err != nil {
		return err
	}
	_, err = out.Write(append(text, '\n'))
	return err
}
