package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
)

// browserPause is how long a browser has to fail. One that is still running then shows the page.
const browserPause = 3 * time.Second

var errNoDisplay = errors.New("there is no display (DISPLAY and WAYLAND_DISPLAY are not set), and BROWSER names no browser")

// openPage opens a page that was written in the browser of the user.
func openPage(s streams, path string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	commands, err := browsers(s, fileURL(absolute))
	var errs []error
	if err != nil {
		errs = append(errs, err)
	}
	for _, command := range commands {
		err := show(command)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", command[0], err))
	}
	return &operate.Problem{Exit: operate.Failed, Summary: "Cannot open the page", Cause: fmt.Sprintf("No browser could be started: %s.", strings.ReplaceAll(errors.Join(errs...).Error(), "\n", "; ")),
		Action: fmt.Sprintf("The page was written. Open %s yourself, or set BROWSER to the command of a browser.", absolute)}
}

// fileURL is the URL of a file. A path of Windows begins with a drive.
func fileURL(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// browsers are the commands to try, with the page. BROWSER may list several, and have %s for it.
func browsers(s streams, page string) ([][]string, error) {
	value := func(name string) string { text, _ := s.getenv(name); return text }
	var commands [][]string
	for _, text := range filepath.SplitList(value("BROWSER")) {
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if !strings.Contains(text, "%s") {
			words = append(words, "%s")
		}
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "%s", page)
		}
		commands = append(commands, words)
	}
	switch {
	case len(commands) > 0:
		return commands, nil
	case runtime.GOOS == "windows":
		return [][]string{{"rundll32", "url.dll,FileProtocolHandler", page}}, nil
	case runtime.GOOS == "darwin":
		return [][]string{{"open", page}}, nil
	case value("DISPLAY") == "" && value("WAYLAND_DISPLAY") == "":
		return nil, errNoDisplay
	}
	return [][]string{{"xdg-open", page}}, nil
}

// show runs the command of a browser. One that lasts is left running.
func show(command []string) error {
	browser := exec.Command(command[0], command[1:]...)
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	if err := browser.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- browser.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(browserPause):
		return nil
	}
}
