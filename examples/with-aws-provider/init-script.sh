#!/bin/bash
# What the tutorial's instances serve: one page that says who they are.
dnf install -y httpd
echo "${environment}: version ${version}" > /var/www/html/index.html
systemctl enable --now httpd
