#!/bin/bash
# Serves the page of the tutorial, with the version of the instance.
dnf install -y httpd
echo "${environment}: version ${version}" > /var/www/html/index.html
systemctl enable --now httpd
