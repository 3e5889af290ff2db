// What the harness's own pods run: a program without libraries, so that an image is this one file.
//
//	probe pause                      waits to be ended; reaps what it is given, as the first process of a pod must
//	probe serve PORT                 answers every request with 200 and "hello"
//	probe get URL [BEARER [BODY]]    prints the status and the body; POSTs the JSON body where one is given. Any certificate will do
//	probe dial ADDRESS:PORT          prints "open", or why not
//	probe cat PATH                   prints a file
//	probe ls PATH                    prints the names in a folder
//	probe eat MEBIBYTES              holds that much memory
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const patience = 5 * time.Second

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("no command"))
	}
	argument := func(n int) string {
		if len(os.Args) > n {
			return os.Args[n]
		}
		return ""
	}
	switch os.Args[1] {
	case "pause":
		pause()
	case "serve":
		serve(argument(2))
	case "get":
		get(argument(2), argument(3), argument(4))
	case "dial":
		dial(argument(2))
	case "cat":
		cat(argument(2))
	case "ls":
		ls(argument(2))
	case "eat":
		eat(argument(2))
	default:
		fail(fmt.Errorf("unknown command %q", os.Args[1]))
	}
}

func pause() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if pid, _ := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 {
				break
			}
		}
	}
}

func serve(port string) {
	server := &http.Server{Addr: ":" + port, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	})}
	fmt.Println("listening on", port)
	go func() {
		pause()
		server.Close()
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		fail(err)
	}
}

func get(url, bearer, body string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	check(err)
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept", "application/json, text/event-stream")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	response, err := (&http.Client{Transport: transport}).Do(request)
	check(err)
	fmt.Println(response.StatusCode)
	_, err = io.Copy(os.Stdout, response.Body)
	check(err)
}

func dial(address string) {
	connection, err := net.DialTimeout("tcp", address, patience)
	check(err)
	connection.Close()
	fmt.Println("open")
}

func cat(path string) {
	content, err := os.ReadFile(path)
	check(err)
	os.Stdout.Write(content)
}

func ls(path string) {
	entries, err := os.ReadDir(path)
	check(err)
	for _, entry := range entries {
		fmt.Println(entry.Name())
	}
}

func eat(mebibytes string) {
	count, err := strconv.Atoi(mebibytes)
	check(err)
	held := make([]byte, count<<20)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	pause()
	fmt.Fprint(io.Discard, held[0])
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "probe:", err)
	os.Exit(1)
}
