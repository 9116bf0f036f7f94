// gotruth turns the execution trace of one service into its truth file.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"tailspan/shop/internal/gotruth"
)

func main() {
	from := flag.String("trace", "", "execution trace to read")
	to := flag.String("out", "", "truth file to write")
	foreign := flag.String("foreign", "", "truth file of another SDK in the same process, if there is one")
	skewMs := flag.Int64("skew-ms", 0, "shift of the exported spans, added to every time")
	named := flag.Bool("named", false, "also write the name, kind and times of each span")
	flag.Parse()
	if err := run(*from, *to, *foreign, *skewMs*1_000_000, *named); err != nil {
		fmt.Fprintln(os.Stderr, "gotruth:", err)
		os.Exit(1)
	}
}

func run(from, to, foreign string, skewNs int64, named bool) error {
	input, err := os.Open(from)
	if err != nil {
		return err
	}
	defer input.Close()
	recording, err := gotruth.Read(bufio.NewReaderSize(input, 1<<20))
	if err != nil {
		return err
	}
	others, err := readForeign(foreign, skewNs)
	if err != nil {
		return err
	}
	truths := recording.Fold(others)
	output, err := os.Create(to)
	if err != nil {
		return err
	}
	if err := gotruth.Write(output, truths, skewNs, named); err != nil {
		return err
	}
	fmt.Printf("%d events, %d spans, %d with truth\n", recording.Events, len(recording.Spans), len(truths))
	return output.Close()
}

func readForeign(path string, skewNs int64) (map[string][]gotruth.Placed, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return gotruth.ReadForeign(file, skewNs)
}
