//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
)

// driver is the clients, in a process of their own, so that getrusage sees the service alone.
type driver struct {
	orders  io.Writer
	answers *bufio.Reader
	process *exec.Cmd
}

func startDriver() *driver {
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	process := exec.Command(self, "-drive")
	process.Stderr = os.Stderr
	orders, errIn := process.StdinPipe()
	answers, errOut := process.StdoutPipe()
	if errIn != nil || errOut != nil {
		log.Fatal(errIn, errOut)
	}
	if err := process.Start(); err != nil {
		log.Fatal(err)
	}
	return &driver{orders, bufio.NewReader(answers), process}
}

// run sends so many requests and returns when all are answered.
func (d *driver) run(url string, clients, requests int) {
	if _, err := fmt.Fprintln(d.orders, url, clients, requests); err != nil {
		log.Fatal(err)
	}
	if answer, err := d.answers.ReadString('\n'); err != nil {
		log.Fatal(answer, err)
	}
}

func (d *driver) stop() {
	_ = d.orders.(io.Closer).Close()
	_ = d.process.Wait()
}

// drive is the other process: it does what it reads from its input until that ends.
func drive() {
	input := bufio.NewReader(os.Stdin)
	for {
		var url string
		var clients, requests int
		if _, err := fmt.Fscanln(input, &url, &clients, &requests); err != nil {
			return
		}
		load(url, clients, requests)
		fmt.Println("done")
	}
}

// load is a closed loop: every client has one request under way at a time.
func load(url string, clients, requests int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	var begun atomic.Int64
	for range clients {
		all.Go(func() {
			for begun.Add(1) <= int64(requests) {
				answer, err := client.Post(url+"/order", "application/json", bytes.NewReader(body))
				if err != nil {
					log.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		})
	}
	all.Wait()
}

var body = func() []byte {
	o := order{ID: 7, Tags: map[string]string{"channel": "web", "country": "de"}}
	for i := range 20 {
		o.Lines = append(o.Lines, map[string]any{"sku": i, "name": "a thing with a name", "price": 12.5, "amount": i})
	}
	text, _ := json.Marshal(o)
	return text
}()
