//go:build unix

package main

import (
	"fmt"
	"math"
)

// summarize is the mean with its 95 % interval by Student's t.
func summarize(values []float64, digits int) string {
	n := float64(len(values))
	var sum, squares float64
	for _, value := range values {
		sum += value
	}
	mean := sum / n
	for _, value := range values {
		squares += (value - mean) * (value - mean)
	}
	half := student95(len(values)-1) * math.Sqrt(squares/(n-1)/n)
	return fmt.Sprintf("%.*f [%.*f, %.*f]", digits, mean, digits, mean-half, digits, mean+half)
}

// student95 is the two-sided 95 % point of Student's t, by the expansion of Abramowitz and Stegun 26.7.5.
func student95(freedom int) float64 {
	const z = 1.959964
	v := float64(freedom)
	g1 := (math.Pow(z, 3) + z) / 4
	g2 := (5*math.Pow(z, 5) + 16*math.Pow(z, 3) + 3*z) / 96
	g3 := (3*math.Pow(z, 7) + 19*math.Pow(z, 5) + 17*math.Pow(z, 3) - 15*z) / 384
	return z + g1/v + g2/(v*v) + g3/(v*v*v)
}
